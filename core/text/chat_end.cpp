#include "core/error.h"
#include "core/text/chat_parts.h"
#include "core/text/jinja/characters.h"

namespace plumb {
namespace {

jinja::TracedText render_exchange(const ChatTemplateParts& parts) {
  Conversation exchange;
  exchange.messages = {{Role::user, "question", ""}, {Role::assistant, "answer", ""}};
  const Json messages = messages_json(exchange);
  return render_messages(parts, exchange, messages, messages.size(), false).text;
}

}  // namespace

std::optional<std::int32_t> ChatTemplate::end_of_turn() const {
  jinja::TracedText text;
  try {
    text = render_exchange(*parts_);
  } catch (const Error&) {
    return std::nullopt;  // said when a conversation of the user's is rendered
  }
  const std::size_t end = end_of_words(text);
  for (const FoundToken& found : find_special(parts_->specials, text)) {
    if (found.begin < end) continue;
    const bool follows = jinja::skip_space(text.bytes, end) >= found.begin;
    return follows ? std::optional(found.token->id) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::int32_t> end_of_turn(const Tokenizer& tokenizer) {
  try {
    const auto own = ChatTemplate::own(tokenizer);
    return own ? own->end_of_turn() : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace plumb
