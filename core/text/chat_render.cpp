// transformers' conventions of apply_chat_template (5.23): what the template sees.
#include <algorithm>
#include <array>
#include <ctime>

#include "core/error.h"
#include "core/text/chat_parts.h"
#include "core/text/jinja/characters.h"

namespace plumb {

namespace {

constexpr std::array<const char*, 3> kReasoning = {"reasoning_content", "thinking", "reasoning"};
constexpr std::string_view kOpenMark = "CONTINUE_FINAL_MESSAGE_TAG ";

// Reasoning has had several names; the template finds it under each.
Json with_reasoning(Json message) {
  const auto named = std::find_if(kReasoning.begin(), kReasoning.end(), [&](const char* key) {
    return message.contains(key) && !message[key].is_null();
  });
  if (named == kReasoning.end()) return message;
  const Json reasoning = message[*named];
  Json out = {{"thinking", reasoning}};
  for (const auto& [key, value] : message.items()) out[key] = value;
  out["reasoning_content"] = reasoning;
  return out;
}

Json message_json(const Message& message) {
  if (message.json.empty()) {
    return {{"role", std::string(role_name(message.role))}, {"content", message.content}};
  }
  const Json whole = parse_json(message.json, "a message");
  Json out = Json::object();
  for (const auto& [key, value] : whole.items()) {
    if (!value.is_null()) out[key] = value;
  }
  return with_reasoning(std::move(out));
}

Json json_or_null(const std::string& text, const char* what) {
  return text.empty() ? Json() : parse_json(text, what);
}

jinja::Clock clock_of(const ChatClock& clock) {
  if (clock.date.empty()) return jinja::local_time;
  return [date = clock.date] {
    std::tm time{};
    strptime(date.c_str(), "%Y-%m-%d", &time);
    time.tm_isdst = -1;
    std::mktime(&time);  // fills in the day of the week
    return time;
  };
}

// Whose turn it is belongs to the template: the words for it are few and known.
bool is_role(std::string_view key, const Json& value) {
  return key == "role" && value.is_string() &&
         is_template_role(value.get_ref<const std::string&>());
}

void check_not_empty(const Conversation& conversation) {
  if (conversation.messages.empty()) {
    throw Error("a conversation without messages cannot be rendered");
  }
}

// Marks where the words of the last message end; those words.
std::string mark_end(Json& message) {
  if (!message.contains("content")) {
    throw Error("the last message has no content to go on with");
  }
  Json& content = message["content"];
  if (content.is_string()) {
    const std::string words = content;
    content = words + std::string(kOpenMark);
    return words;
  }
  for (auto part = content.rbegin(); content.is_array() && part != content.rend(); ++part) {
    if (!part->is_object() || !part->contains("text")) continue;
    const std::string words = (*part)["text"];
    (*part)["text"] = words + std::string(kOpenMark);
    return words;
  }
  throw Error("the last message has no text to go on with");
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(jinja::skip_space(text, 0));
  std::size_t end = text.size();
  while (end > 0) {
    const std::size_t size = jinja::char_bytes_before(text, end);
    if (jinja::skip_space(text, end - size) != text.size()) break;
    end -= size;
  }
  return text.substr(0, end);
}

std::string_view trimmed_right(std::string_view text) {
  const std::size_t begin = jinja::skip_space(text, 0);
  return begin == text.size() ? text.substr(0, 0) : text.substr(0, begin + trimmed(text).size());
}

}  // namespace

Json messages_json(const Conversation& conversation) {
  check_not_empty(conversation);
  Json list = Json::array();
  for (const Message& message : conversation.messages) list.push_back(message_json(message));
  return list;
}

jinja::Rendering render_messages(const ChatTemplateParts& parts, const Conversation& conversation,
                                 const Json& messages, std::size_t count, bool adds_prompt) {
  const Json tools = json_or_null(conversation.tools, "tools");
  const Json documents = json_or_null(conversation.documents, "documents");
  const Json variables = json_or_null(conversation.variables, "template variables");
  const Json prompt = adds_prompt;
  std::vector<jinja::Variable> all;
  for (const auto& [name, value] : parts.special_tokens.items()) {
    all.push_back({name, &value, jinja::kTemplate});
  }
  for (const auto& [name, value] : variables.items()) {
    all.push_back({name, &value, jinja::kInput});
  }
  all.push_back({"messages", &messages, jinja::kInput, true, count, is_role});
  all.push_back({"tools", &tools, jinja::kInput});
  all.push_back({"documents", &documents, jinja::kInput});
  all.push_back({"add_generation_prompt", &prompt, jinja::kInput});
  const jinja::Template& chosen =
      parts.for_tools && !tools.is_null() ? *parts.for_tools : parts.main;
  return chosen.render(all, clock_of(parts.clock));
}

jinja::TracedText render_open(const ChatTemplateParts& parts, const Conversation& conversation) {
  Json messages = messages_json(conversation);
  const std::string words = mark_end(messages.back());
  const jinja::TracedText whole =
      render_messages(parts, conversation, messages, messages.size(), false).text;
  const std::string_view mark = kOpenMark.substr(0, kOpenMark.size() - 1);
  const std::size_t at = whole.bytes.rfind(mark);
  if (at == std::string::npos || whole.bytes.find(trimmed(words)) == std::string::npos) {
    throw Error("the chat template '" + parts.name +
                "' does not render the words of the last message, so it cannot be gone on with");
  }
  const bool keeps_space = whole.bytes.compare(at, kOpenMark.size(), kOpenMark) == 0;
  const std::string_view before = std::string_view(whole.bytes).substr(0, at);
  jinja::TextBuilder out;
  out.append(whole, 0, keeps_space ? at : trimmed_right(before).size());
  return out.finish();
}

std::string ChatTemplate::render(const Conversation& conversation, GenerationPrompt prompt) const {
  if (prompt == GenerationPrompt::continue_last) return render_open(*parts_, conversation).bytes;
  const Json messages = messages_json(conversation);
  const bool adds_prompt = prompt == GenerationPrompt::add;
  return render_messages(*parts_, conversation, messages, messages.size(), adds_prompt).text.bytes;
}

}  // namespace plumb
