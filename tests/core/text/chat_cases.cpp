#include "tests/core/text/chat_cases.h"

#include "core/text/train.h"

namespace plumb::test {

namespace {

Message message_of(const Json& json) {
  Message message;
  try {
    message.role = parse_role(json.at("role").get<std::string>(), "test");
  } catch (const std::exception&) {
    message.role = Role::user;  // templates see the JSON
  }
  message.json = json.dump();
  return message;
}

}  // namespace

Conversation conversation_of(const Json& dialogue) {
  Conversation conversation;
  for (const Json& message : dialogue.at("messages")) {
    conversation.messages.push_back(message_of(message));
  }
  const auto text_of = [&](const char* key) {
    return dialogue.contains(key) ? dialogue[key].dump() : "";
  };
  conversation.tools = text_of("tools");
  conversation.documents = text_of("documents");
  conversation.variables = text_of("variables");
  return conversation;
}

Tokenizer tokenizer_with(const Json& special, const std::vector<std::string>& more,
                         const std::string& chat_template) {
  TokenizerTraining options;
  options.vocab_size = 300 + static_cast<std::int64_t>(more.size());
  options.min_frequency = 1;
  options.eos_token = special.value("eos_token", "</s>");
  options.special_tokens = more;
  for (const auto& [key, token] : special.items()) {
    if (key != "eos_token") options.special_tokens.push_back(token);
  }
  const std::vector<std::string> texts = {"Hi there Hello."};
  const Tokenizer trained = train_tokenizer(options, texts);
  Json config = special;
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  return Tokenizer::from_json(trained.json(), config.dump(), "test");
}

std::string marked(const Tokenizer& tokenizer, const EncodedConversation& encoded) {
  std::string out;
  for (const Span& span : encoded.spans) {
    const std::span<const std::int32_t> ids(encoded.ids.data() + span.begin,
                                            static_cast<std::size_t>(span.end - span.begin));
    const std::string text = tokenizer.decode(ids, SpecialTokens::keep);
    out += span.is_trained ? "[[" + text + "]]" : text;
  }
  return out;
}

}  // namespace plumb::test
