#include <algorithm>
#include <map>

#include "core/text/chat_parts.h"

namespace plumb {

namespace {

using jinja::Origin;
using jinja::TracedText;

void append_span(std::vector<Span>& spans, std::int64_t end, Role role, bool is_trained) {
  const std::int64_t begin = spans.empty() ? 0 : spans.back().end;
  if (begin == end) return;
  const bool joins =
      !spans.empty() && spans.back().role == role && spans.back().is_trained == is_trained;
  if (joins) {
    spans.back().end = end;
  } else {
    spans.push_back({begin, end, role, is_trained});
  }
}

// A stretch of the text that is encoded by itself.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_trained = false;
  const FoundToken* alone = nullptr;  // the stretch is this token, forged or not recognised
};

class Encoder {
 public:
  Encoder(const ChatTemplateParts& parts, const Conversation& conversation, const TracedText& text,
          const TrainedParts& trained)
      : parts_(parts),
        conversation_(conversation),
        text_(text),
        trained_(trained),
        special_(find_special(parts.specials, text)) {}

  EncodedConversation run() {
    for (const Stretch& stretch : stretches()) {
      const std::vector<std::int32_t> ids = ids_of(stretch);
      const std::size_t before = out_.ids.size();
      out_.ids.insert(out_.ids.end(), ids.begin(), ids.end());
      if (stretch.is_trained) {
        append_span(out_.spans, count(), Role::assistant, true);
      } else {
        tell_roles(stretch, before);
      }
    }
    return std::move(out_);
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(out_.ids.size()); }

  std::vector<Stretch> stretches() const {
    std::vector<Stretch> out;
    std::size_t at = 0;
    for (const jinja::ByteRange& range : trained_.ranges) {
      divide(at, range.begin, false, out);
      divide(range.begin, range.end, trained_.are_trained, out);
      at = range.end;
    }
    divide(at, text_.bytes.size(), false, out);
    return out;
  }

  // Into what is encoded as it is and the tokens that the tokenizer must not, or cannot, find.
  void divide(std::size_t begin, std::size_t end, bool is_trained,
              std::vector<Stretch>& out) const {
    for (const FoundToken& token : special_) {
      const bool is_within = token.begin >= begin && token.end <= end;
      if (!is_within || (!token.is_forged && token.token->is_recognised)) continue;
      if (token.begin > begin) out.push_back({begin, token.begin, is_trained, nullptr});
      out.push_back({token.begin, token.end, is_trained, &token});
      begin = token.end;
    }
    if (begin < end) out.push_back({begin, end, is_trained, nullptr});
  }

  std::vector<std::int32_t> ids_of(const Stretch& stretch) const {
    const bool is_token = stretch.alone && !stretch.alone->is_forged;
    if (is_token) return {stretch.alone->token->id};
    const std::string_view bytes =
        std::string_view(text_.bytes).substr(stretch.begin, stretch.end - stretch.begin);
    const SpecialText special = stretch.alone ? SpecialText::ordinary : SpecialText::recognised;
    if (!out_.ids.empty()) return parts_.tokenizer.encode_continuation(bytes, special);
    return stretch.alone ? parts_.tokenizer.encode_literal(bytes)
                         : parts_.tokenizer.encode_plain(bytes);
  }

  // Whose words most of text[begin, end) is.
  Role role_of(std::size_t begin, std::size_t end) const {
    std::map<Role, std::size_t> bytes;
    std::size_t at = 0;
    for (const jinja::OriginRun& run : text_.runs) {
      const std::size_t from = std::max(at, begin), to = std::min(run.end, end);
      at = run.end;
      if (from >= to || run.origin <= 0) continue;
      bytes[conversation_.messages[static_cast<std::size_t>(run.origin - 1)].role] += to - from;
    }
    const auto most =
        std::max_element(bytes.begin(), bytes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == bytes.end() ? Role::markup : most->first;
  }

  // The special tokens of a stretch divide its text and its ids alike; what lies between two of
  // them is the words of whoever has most of it.
  void tell_roles(const Stretch& stretch, std::size_t first_id) {
    std::vector<const FoundToken*> marks;
    for (const FoundToken& token : special_) {
      const bool is_mark = !token.is_forged && token.token->is_recognised &&
                           token.begin >= stretch.begin && token.end <= stretch.end;
      if (is_mark) marks.push_back(&token);
    }
    std::vector<std::size_t> places;
    for (std::size_t i = first_id; i < out_.ids.size(); ++i) {
      const bool is_mark =
          places.size() < marks.size() && out_.ids[i] == marks[places.size()]->token->id;
      if (is_mark) places.push_back(i);
    }
    if (stretch.alone || places.size() != marks.size()) {
      return append_span(out_.spans, count(), role_of(stretch.begin, stretch.end), false);
    }
    std::size_t at = stretch.begin;
    for (std::size_t i = 0; i < marks.size(); ++i) {
      const auto place = static_cast<std::int64_t>(places[i]);
      append_span(out_.spans, place, role_of(at, marks[i]->begin), false);
      append_span(out_.spans, place + 1, Role::markup, false);
      at = marks[i]->end;
    }
    append_span(out_.spans, count(), role_of(at, stretch.end), false);
  }

  const ChatTemplateParts& parts_;
  const Conversation& conversation_;
  const TracedText& text_;
  const TrainedParts& trained_;
  std::vector<FoundToken> special_;
  EncodedConversation out_;
};

}  // namespace

SpecialTokenTable::SpecialTokenTable(const Tokenizer& tokenizer) : by_first_byte_(256) {
  for (std::int64_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const bool ends_text = id == tokenizer.eos_id() || id == tokenizer.bos_id();
    if (!ends_text && !tokenizer.is_special(id)) continue;
    SpecialToken token{tokenizer.id_to_token(id), id, true, false};
    if (token.text.empty()) continue;
    const std::vector<std::int32_t> alone = tokenizer.encode_plain(token.text);
    token.is_recognised = std::find(alone.begin(), alone.end(), id) != alone.end();
    token.takes_space = token.is_recognised && tokenizer.encode_plain(token.text + "\n") == alone;
    by_first_byte_[static_cast<unsigned char>(token.text[0])].push_back(std::move(token));
  }
  for (auto& tokens : by_first_byte_) {
    std::sort(tokens.begin(), tokens.end(), [](const SpecialToken& a, const SpecialToken& b) {
      return a.text.size() > b.text.size();
    });
  }
}

const SpecialToken* SpecialTokenTable::longest_at(std::string_view text, std::size_t at) const {
  const auto& tokens = by_first_byte_[static_cast<unsigned char>(text[at])];
  const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const SpecialToken& token) {
    return text.substr(at).starts_with(token.text);
  });
  return found == tokens.end() ? nullptr : &*found;
}

std::vector<FoundToken> find_special(const SpecialTokenTable& specials, const TracedText& text) {
  std::vector<FoundToken> out;
  jinja::OriginCursor first(text), last(text);
  for (std::size_t at = 0; at < text.bytes.size();) {
    const SpecialToken* token = specials.longest_at(text.bytes, at);
    if (!token) {
      ++at;
      continue;
    }
    const std::size_t end = at + token->text.size();
    const bool is_forged = first.at(at) != jinja::kTemplate || last.at(end - 1) != jinja::kTemplate;
    out.push_back({at, end, token, is_forged});
    at = end;
  }
  return out;
}

EncodedConversation encode_rendering(const ChatTemplateParts& parts,
                                     const Conversation& conversation, const TracedText& text,
                                     const TrainedParts& trained) {
  return Encoder(parts, conversation, text, trained).run();
}

}  // namespace plumb
