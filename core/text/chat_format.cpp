#include "core/text/chat_format.h"

#include <algorithm>

#include "core/error.h"
#include "core/io/json.h"

namespace plumb {

namespace {

constexpr ChatFormat kFormats[] = {ChatFormat::chatml, ChatFormat::plain, ChatFormat::llama2,
                                   ChatFormat::alpaca, ChatFormat::none};

// END is where an assistant's turn ends with EOS, when the tokenizer has one; BOS likewise. ROLES
// and ORDER refuse what the format has no place for.
constexpr const char* kChatml =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}"
    "{% if message['role'] == 'assistant' %}END{% endif %}{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr const char* kPlain =
    "{% for message in messages %}ROLES"
    "{% if message['role'] == 'system' %}"
    "{% if not loop.first %}"
    "{{ raise_exception('a system message stands at the start only') }}"
    "{% endif %}"
    "{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '\\n\\nHuman: ' + message['content'] }}"
    "{% else %}{{ '\\n\\nAssistant: ' + message['content'] }}END{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}{% endif %}";

// meta-llama/Llama-2-7b-chat: [INST] and the system's text open a turn of the user.
constexpr const char* kLlama2 =
    "{% for message in messages %}ROLESORDER"
    "{% if message['role'] == 'system' %}"
    "BOS{{ '[INST] <<SYS>>\\n' + message['content'] + '\\n<</SYS>>\\n\\n' }}"
    "{% elif message['role'] == 'user' %}"
    "{% if loop.index0 == 1 and messages[0]['role'] == 'system' %}{{ message['content'] }}"
    "{% else %}BOS{{ '[INST] ' + message['content'] }}{% endif %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + ' ' }}END{% endif %}"
    "{% endfor %}";

constexpr const char* kAlpaca =
    "{% for message in messages %}ROLESORDER"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}"
    "{% if not loop.first %}{{ '\\n\\n' }}{% endif %}"
    "{{ '### Instruction:\\n' + message['content'] + '\\n\\n### Response:\\n' }}"
    "{% else %}{{ message['content'] }}END{% endif %}"
    "{% endfor %}";

constexpr const char* kNone =
    "{% for message in messages %}ROLES{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}END{% endif %}"
    "{% endfor %}";

constexpr const char* kRoles =
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('only system, user and assistant have turns here, not ' + "
    "message['role']) }}{% endif %}";

constexpr const char* kOrder =
    "{% set turn = loop.index0 - (messages[0]['role'] == 'system') %}"
    "{% if (turn >= 0 or message['role'] != 'system') and "
    "message['role'] != ['user', 'assistant'][turn % 2] %}"
    "{{ raise_exception('user and assistant take turns, user first; message ' ~ loop.index ~ "
    "' is by ' ~ message['role']) }}{% endif %}";

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
    default:
      return kNone;
  }
}

}  // namespace

std::string_view chat_format_name(ChatFormat format) {
  switch (format) {
    case ChatFormat::chatml:
      return "chatml";
    case ChatFormat::plain:
      return "plain";
    case ChatFormat::llama2:
      return "llama2";
    case ChatFormat::alpaca:
      return "alpaca";
    case ChatFormat::none:
      return "none";
    case ChatFormat::own:
      return "own";
  }
  return "";
}

std::vector<std::string> chat_format_names() {
  std::vector<std::string> names;
  for (const ChatFormat format : kFormats) names.emplace_back(chat_format_name(format));
  return names;
}

ChatFormat parse_chat_format(std::string_view name, const std::string& source) {
  std::string known;
  for (const ChatFormat format : kFormats) {
    if (chat_format_name(format) == name) return format;
    known += (known.empty() ? "" : ", ") + std::string(chat_format_name(format));
  }
  throw Error(source + ": the chat format '" + std::string(name) +
              "' is not known (known: " + known + ")");
}

std::string jinja_of(ChatFormat format, const Tokenizer& tokenizer) {
  const auto im_end = tokenizer.token_to_id("<|im_end|>");
  const bool ends_itself = format == ChatFormat::chatml && im_end && tokenizer.is_special(*im_end);
  const bool has_eos = tokenizer.eos_id() && !ends_itself;
  const std::string bos = tokenizer.bos_id() ? "{{ bos_token }}" : "";
  std::string jinja = replaced(source_of(format), "ROLES", kRoles);
  jinja = replaced(jinja, "ORDER", kOrder);
  jinja = replaced(jinja, "END", has_eos ? "{{ eos_token }}" : "");
  jinja = replaced(jinja, "BOS", bos);
  const bool needs_bos = !tokenizer.prefix_ids().empty() && format != ChatFormat::llama2;
  return (needs_bos ? bos : "") + jinja;
}

}  // namespace plumb
