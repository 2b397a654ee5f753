// Turns of a conversation, and whose tokens are whose.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

enum class Role : std::uint8_t { system, user, assistant, markup, tool };

struct Message {
  Role role = Role::user;  // never markup
  std::string content;     // its words; of a list of parts, their texts
  // The whole message as a JSON object, when it says more than a role and words: tool calls, a
  // name, reasoning, a role of another word. Else empty.
  std::string json;
};

// What a template renders. The last three are JSON, or empty.
struct Conversation {
  std::vector<Message> messages;
  std::string tools;      // a list of JSON schemas
  std::string documents;  // a list of objects
  std::string variables;  // an object: what else the template sees, such as enable_thinking
};

// "system" (or "developer"), "user" (or "human"), "assistant" (or "gpt", "model", "chatbot"),
// "tool" (or "function", "observation", "ipython", "tool_results"); anything else is an Error that
// names `source`.
Role parse_role(std::string_view name, const std::string& source);
std::string_view role_name(Role role);
// Whether templates know the role by this very word.
bool is_template_role(std::string_view name);

struct Span {
  std::int64_t begin = 0;  // index of the first token
  std::int64_t end = 0;    // one past the last
  Role role = Role::markup;
  bool is_trained = false;
};

}  // namespace plumb
