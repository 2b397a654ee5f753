#include "core/text/pre_tokenizer.h"

#include <algorithm>

#include "core/text/byte_level.h"
#include "core/text/split.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

// Replaces each piece by what `divide_piece` (text -> kept parts) leaves of it.
template <class DividePiece>
void split_pieces(PieceList& list, DividePiece divide_piece) {
  std::vector<Piece> out;
  out.reserve(list.pieces.size());
  for (const Piece& piece : list.pieces) {
    for (const Match& part : divide_piece(list.view(piece))) {
      if (part.begin == part.end) continue;
      out.push_back(
          {piece.begin + part.begin, piece.begin + part.end, piece.is_first && part.begin == 0});
    }
  }
  list.pieces = std::move(out);
}

// The new text of the pieces, written character by character with the origins of the old ones.
class PieceWriter {
 public:
  explicit PieceWriter(PieceList& list) : list_(list) {
    out_.is_tracked = list.text.is_tracked;
    out_.bytes.reserve(list.text.bytes.size() * 2);
  }
  // `text` stands for the old byte at `at`.
  void put(std::string_view text, std::size_t at) {
    out_.bytes += text;
    if (!out_.is_tracked) return;
    out_.origins.insert(out_.origins.end(), text.size(), list_.text.origins[at]);
  }
  // `text` stays as it is; it lies at `at` in the old bytes.
  void keep(std::string_view text, std::size_t at) {
    out_.bytes += text;
    if (!out_.is_tracked) return;
    const auto from = list_.text.origins.begin() + static_cast<std::ptrdiff_t>(at);
    out_.origins.insert(out_.origins.end(), from, from + static_cast<std::ptrdiff_t>(text.size()));
  }
  std::size_t size() const { return out_.bytes.size(); }
  void finish() { list_.text = std::move(out_); }

 private:
  PieceList& list_;
  TrackedText out_;
};

// Rewrites each piece's text: `rewrite(piece, its text, writer)` writes the new one.
template <class Rewrite>
void rewrite_pieces(PieceList& list, Rewrite rewrite) {
  PieceWriter writer(list);
  for (Piece& piece : list.pieces) {
    const std::size_t begin = writer.size();
    rewrite(piece, list.view(piece), writer);
    piece.begin = begin;
    piece.end = writer.size();
  }
  writer.finish();
}

// Whether the piece goes on from a text encoded before, so that nothing is put before it.
bool goes_on(const PieceList& list, const Piece& piece) {
  return piece.is_first && list.position == TextPosition::continuation;
}

void run(PrefixSpaceStep, PieceList& list) {
  rewrite_pieces(list, [&](const Piece& piece, std::string_view text, PieceWriter& out) {
    if (!text.starts_with(' ') && !goes_on(list, piece)) out.put(" ", piece.begin);
    out.keep(text, piece.begin);
  });
}

void run(ByteMapStep, PieceList& list) {
  std::string spelled;
  rewrite_pieces(list, [&](const Piece& piece, std::string_view text, PieceWriter& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      spelled.clear();
      append_byte_level(spelled, static_cast<unsigned char>(text[i]));
      out.put(spelled, piece.begin + i);
    }
  });
}

// The commonest split: what is found and what lies between are pieces.
void isolate(const Finder& what, PieceList& list) {
  std::vector<Piece> out;
  out.reserve(list.pieces.size() + list.text.bytes.size() / 4);
  const auto add = [&](const Piece& piece, std::size_t begin, std::size_t end) {
    if (begin == end) return;
    out.push_back({piece.begin + begin, piece.begin + end, piece.is_first && begin == 0});
  };
  std::vector<Match> matches;
  for (const Piece& piece : list.pieces) {
    const std::string_view text = list.view(piece);
    what.find_all(text, matches);
    std::size_t done = 0;
    for (const Match& match : matches) {
      add(piece, done, match.begin);
      add(piece, match.begin, match.end);
      done = match.end;
    }
    add(piece, done, text.size());
  }
  list.pieces = std::move(out);
}

void run(const SplitStep& step, PieceList& list) {
  if (step.behavior == SplitBehavior::isolated) return isolate(step.what, list);
  split_pieces(list, [&](std::string_view piece) {
    std::vector<Stretch> stretches = stretches_of(piece, step.what.find_all(piece));
    if (step.is_inverted) {
      for (Stretch& stretch : stretches) stretch.is_match = !stretch.is_match;
    }
    return divide(stretches, step.behavior);
  });
}

// As divide() of what `is_member` finds with behavior removed or isolated, in one pass.
template <class IsMember>
void split_at(PieceList& list, bool keeps_members, IsMember is_member) {
  std::vector<Piece> out;
  out.reserve(list.pieces.size() * 2 + list.text.bytes.size() / 4);
  for (const Piece& piece : list.pieces) {
    const std::string_view text = list.view(piece);
    std::size_t done = 0;
    const auto add = [&](std::size_t begin, std::size_t end) {
      if (begin == end) return;
      out.push_back({piece.begin + begin, piece.begin + end, piece.is_first && begin == 0});
    };
    for (std::size_t i = 0; i < text.size();) {
      const DecodedChar c = decode_char(text, i);
      const std::size_t end = i + c.length;
      if (is_member(c.code)) {
        add(done, i);
        if (keeps_members) add(i, end);
        done = end;
      }
      i = end;
    }
    add(done, text.size());
  }
  list.pieces = std::move(out);
}

void run(const DigitsStep& step, PieceList& list) {
  if (step.is_individual) {
    return split_at(list, true, [](char32_t c) { return is_numeric(c); });
  }
  split_pieces(list, [&](std::string_view piece) {
    return divide(stretches_of(piece, is_numeric), SplitBehavior::contiguous);
  });
}

void run(const PunctuationStep& step, PieceList& list) {
  if (step.behavior == SplitBehavior::isolated) {
    return split_at(list, true, [](char32_t c) { return is_punctuation(c); });
  }
  split_pieces(list, [&](std::string_view piece) {
    return divide(stretches_of(piece, is_punctuation), step.behavior);
  });
}

void run(const MetaspaceStep& step, PieceList& list) {
  const std::string mark = from_char(step.replacement);
  rewrite_pieces(list, [&](const Piece& piece, std::string_view text, PieceWriter& out) {
    const bool has_mark = text.starts_with(' ') || text.starts_with(mark);
    const bool is_start = piece.is_first && list.position == TextPosition::start;
    const bool is_wanted =
        step.prepend == PrependScheme::always || (step.prepend == PrependScheme::first && is_start);
    if (is_wanted && !has_mark && !goes_on(list, piece)) out.put(mark, piece.begin);
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t space = std::min(text.find(' ', i), text.size());
      out.keep(text.substr(i, space - i), piece.begin + i);
      if (space < text.size()) out.put(mark, piece.begin + space);
      i = space + 1;
    }
  });
  if (!step.is_split) return;
  const Finder finder{mark, std::nullopt};
  split_pieces(list, [&](std::string_view piece) {
    return divide(stretches_of(piece, finder.find_all(piece)), SplitBehavior::merged_with_next);
  });
}

// Runs of \w, and runs of what is neither \w nor space (\w+|[^\w\s]+).
std::vector<Match> words_of(std::string_view piece) {
  std::vector<Match> words;
  bool was_word = false;
  bool is_open = false;
  for (std::size_t i = 0; i < piece.size();) {
    const DecodedChar c = decode_char(piece, i);
    const bool is_in_word = is_word(c.code);
    if (!is_in_word && is_space(c.code)) {
      is_open = false;
    } else if (is_open && is_in_word == was_word) {
      words.back().end = i + c.length;
    } else {
      words.push_back({i, i + c.length});
      is_open = true;
    }
    was_word = is_in_word;
    i += c.length;
  }
  return words;
}

// A piece begins with each character whose script differs from that of the last one that has a
// script. What stands before the first such character is lost, as in `tokenizers`.
std::vector<Match> script_runs(std::string_view piece) {
  std::vector<Match> runs;
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < piece.size();) {
    const DecodedChar c = decode_char(piece, i);
    const std::uint32_t script = c.code == ' ' ? 0 : split_script(c.code);
    if (script != 0 && script != last) {
      if (!runs.empty()) runs.back().end = i;
      runs.push_back({i, piece.size()});
      last = script;
    }
    i += c.length;
  }
  return runs;
}

void run(PlainStep step, PieceList& list) {
  switch (step) {
    case PlainStep::words:
      return split_pieces(list, words_of);
    case PlainStep::scripts:
      return split_pieces(list, script_runs);
    case PlainStep::spaces:
    case PlainStep::bert:
      break;
  }
  split_at(list, false, [](char32_t c) { return is_space(c); });
  if (step == PlainStep::bert) run(PunctuationStep{SplitBehavior::isolated}, list);
}

void run(const FixedLengthStep& step, PieceList& list) {
  split_pieces(list, [&](std::string_view piece) {
    std::vector<Match> parts;
    std::size_t count = step.length;  // of characters in the last part
    for (std::size_t i = 0; i < piece.size();) {
      if (count == step.length) {
        parts.push_back({i, i});
        count = 0;
      }
      i += decode_char(piece, i).length;
      parts.back().end = i;
      ++count;
    }
    return parts;
  });
}

}  // namespace

PieceList PieceList::of(TrackedText text, TextPosition position) {
  PieceList list{std::move(text), position, {}};
  if (!list.text.bytes.empty()) list.pieces.push_back({0, list.text.bytes.size(), true});
  return list;
}

void pre_tokenize(const PreTokenizer& pre_tokenizer, std::size_t begin, std::size_t end,
                  PieceList& list) {
  for (std::size_t i = begin; i < end; ++i) {
    std::visit([&](const auto& s) { run(s, list); }, pre_tokenizer.steps[i]);
  }
}

void pre_tokenize(const PreTokenizer& pre_tokenizer, PieceList& list) {
  pre_tokenize(pre_tokenizer, 0, pre_tokenizer.steps.size(), list);
}

}  // namespace plumb::text
