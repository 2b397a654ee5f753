#include "core/error.h"
#include "core/io/json.h"
#include "core/text/chat_template.h"

namespace plumb {

namespace {

// END is where an assistant's turn ends with EOS, when the tokenizer has one; BOS likewise.
constexpr const char* kChatml =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}"
    "{% if message['role'] == 'assistant' %}END{% endif %}{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr const char* kPlain =
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '\\n\\nHuman: ' + message['content'] }}"
    "{% else %}{{ '\\n\\nAssistant: ' + message['content'] }}END{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}{% endif %}";

constexpr const char* kLlama2 =
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}"
    "BOS{{ '[INST] <<SYS>>\\n' + message['content'] + '\\n<</SYS>>\\n\\n' }}"
    "{% elif message['role'] == 'user' %}"
    "{% if loop.index0 == 1 and messages[0]['role'] == 'system' %}{{ message['content'] }}"
    "{% else %}BOS{{ '[INST] ' + message['content'] }}{% endif %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + ' ' }}END{% endif %}"
    "{% endfor %}";

constexpr const char* kAlpaca =
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}"
    "{% if not loop.first %}{{ '\\n\\n' }}{% endif %}"
    "{{ '### Instruction:\\n' + message['content'] + '\\n\\n### Response:\\n' }}"
    "{% else %}{{ message['content'] }}END{% endif %}"
    "{% endfor %}";

constexpr const char* kNone =
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}END{% endif %}"
    "{% endfor %}";

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

const char* source_of(ChatFormat format) {
  switch (format) {
    case ChatFormat::chatml:
      return kChatml;
    case ChatFormat::plain:
      return kPlain;
    case ChatFormat::llama2:
      return kLlama2;
    case ChatFormat::alpaca:
      return kAlpaca;
    case ChatFormat::none:
      return kNone;
  }
  return "";
}

}  // namespace

std::string jinja_of(ChatFormat format, const Tokenizer& tokenizer) {
  const auto im_end = tokenizer.token_to_id("<|im_end|>");
  const bool ends_itself = format == ChatFormat::chatml && im_end && tokenizer.is_special(*im_end);
  const bool has_eos = tokenizer.eos_id() && !ends_itself;
  const std::string bos = tokenizer.bos_id() ? "{{ bos_token }}" : "";
  std::string jinja = replaced(source_of(format), "END", has_eos ? "{{ eos_token }}" : "");
  jinja = replaced(jinja, "BOS", bos);
  const bool needs_bos = !tokenizer.prefix_ids().empty() && format != ChatFormat::llama2;
  return (needs_bos ? bos : "") + jinja;
}

void save_tokenizer_with_template(const Tokenizer& tokenizer, ChatFormat format,
                                  const std::string& folder) {
  Json config = tokenizer.config().empty()
                    ? Json::object()
                    : parse_json(tokenizer.config(), "tokenizer_config.json");
  config["chat_template"] = jinja_of(format, tokenizer);
  save_tokenizer_as(tokenizer, config.dump(2), folder);
}

}  // namespace plumb
