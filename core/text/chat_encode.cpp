#include <algorithm>

#include "core/text/chat_template.h"

namespace plumb {

namespace {

void append_span(std::vector<Span>& spans, std::int64_t begin, std::int64_t end,
                 const RenderedPiece& piece) {
  if (begin == end) return;
  const bool joins = !spans.empty() && spans.back().role == piece.role &&
                     spans.back().is_trained == piece.is_trained;
  if (joins) {
    spans.back().end = end;
  } else {
    spans.push_back({begin, end, piece.role, piece.is_trained});
  }
}

std::optional<std::int32_t> turn_token(const Tokenizer& tokenizer, const RenderedPiece& piece) {
  if (piece.token == TurnToken::bos) return tokenizer.bos_id();
  const bool is_token = !piece.text.empty() && tokenizer.token_to_id(piece.text) &&
                        tokenizer.is_special(*tokenizer.token_to_id(piece.text));
  if (piece.token == TurnToken::eos && !is_token) return tokenizer.eos_id();
  return std::nullopt;
}

}  // namespace

EncodedConversation encode_conversation(const Tokenizer& tokenizer,
                                        std::span<const RenderedPiece> pieces) {
  EncodedConversation out;
  const bool opens_itself = !pieces.empty() && pieces.front().token == TurnToken::bos;
  if (!opens_itself) out.ids = tokenizer.prefix_ids();
  append_span(out.spans, 0, static_cast<std::int64_t>(out.ids.size()), RenderedPiece{});
  bool has_text = false;
  for (const RenderedPiece& piece : pieces) {
    const auto begin = static_cast<std::int64_t>(out.ids.size());
    const SpecialText special = piece.is_markup ? SpecialText::recognised : SpecialText::ordinary;
    std::vector<std::int32_t> ids;
    if (has_text) {
      ids = tokenizer.encode_continuation(piece.text, special);
    } else if (piece.is_markup) {
      ids = tokenizer.encode_plain(piece.text);
    } else {
      ids = tokenizer.encode_literal(piece.text);
    }
    has_text |= !piece.text.empty();
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    if (const auto token = turn_token(tokenizer, piece)) out.ids.push_back(*token);
    append_span(out.spans, begin, static_cast<std::int64_t>(out.ids.size()), piece);
  }
  return out;
}

}  // namespace plumb
