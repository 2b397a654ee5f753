#include "core/text/pre_tokenizer.h"

#include "core/error.h"
#include "core/text/byte_level.h"
#include "core/text/split.h"

namespace plumb::text {

namespace {

const Pattern& gpt2_pattern() {
  static const Pattern pattern = Pattern::compile(kGpt2Pattern, "ByteLevel");
  return pattern;
}

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

// Rewrites each piece's text: `rewrite(piece text, is_first, out)` appends the new one.
template <class Rewrite>
void rewrite_pieces(PieceList& list, Rewrite rewrite) {
  std::string text;
  text.reserve(list.text.size() * 2);
  for (Piece& piece : list.pieces) {
    const std::size_t begin = text.size();
    rewrite(list.view(piece), piece.is_first, text);
    piece.begin = begin;
    piece.end = text.size();
  }
  list.text = std::move(text);
}

void run(const ByteLevelStep& step, PieceList& list) {
  if (step.add_prefix_space && !list.is_continuation) {
    rewrite_pieces(list, [](std::string_view piece, bool, std::string& out) {
      if (!piece.starts_with(' ')) out += ' ';
      out += piece;
    });
  }
  if (step.use_regex) {
    split_pieces(list, [](std::string_view piece) {
      return divide(stretches_of(piece, gpt2_pattern().find_all(piece)), SplitBehavior::isolated);
    });
  }
  rewrite_pieces(list, [](std::string_view piece, bool, std::string& out) {
    for (const char c : piece) append_byte_level(out, static_cast<unsigned char>(c));
  });
}

void run(const SplitStep& step, PieceList& list) {
  split_pieces(list, [&](std::string_view piece) {
    std::vector<Stretch> stretches = stretches_of(piece, step.what.find_all(piece));
    if (step.is_inverted) {
      for (Stretch& stretch : stretches) stretch.is_match = !stretch.is_match;
    }
    return divide(stretches, step.behavior);
  });
}

void run(const DigitsStep& step, PieceList& list) {
  const auto behavior = step.is_individual ? SplitBehavior::isolated : SplitBehavior::contiguous;
  split_pieces(list, [&](std::string_view piece) {
    return divide(stretches_of(piece, is_numeric), behavior);
  });
}

void run(const PunctuationStep& step, PieceList& list) {
  split_pieces(list, [&](std::string_view piece) {
    return divide(stretches_of(piece, is_punctuation), step.behavior);
  });
}

void run(const MetaspaceStep& step, PieceList& list) {
  const std::string mark = from_char(step.replacement);
  rewrite_pieces(list, [&](std::string_view piece, bool is_first, std::string& out) {
    const bool has_mark = piece.starts_with(' ') || piece.starts_with(mark);
    const bool is_wanted =
        step.prepend == PrependScheme::always || (step.prepend == PrependScheme::first && is_first);
    if (is_wanted && !has_mark) out += mark;
    for (const char c : piece) {
      if (c == ' ') {
        out += mark;
      } else {
        out += c;
      }
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

void run(WhitespaceStep step, PieceList& list) {
  if (step == WhitespaceStep::words) return split_pieces(list, words_of);
  split_pieces(list, [](std::string_view piece) {
    return divide(stretches_of(piece, is_space), SplitBehavior::removed);
  });
}

}  // namespace

void pre_tokenize(const PreTokenizer& pre_tokenizer, PieceList& list) {
  for (const PreTokenizerStep& step : pre_tokenizer) {
    std::visit([&](const auto& s) { run(s, list); }, step);
  }
}

}  // namespace plumb::text
