#include "core/text/chat_message.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace plumb {

namespace {

struct RoleWord {
  std::string_view word;
  Role role;
  bool is_for_templates;  // false: a dataset's word, which templates do not know
};

constexpr std::array<RoleWord, 13> kWords = {{
    {"system", Role::system, true},
    {"developer", Role::system, true},
    {"user", Role::user, true},
    {"human", Role::user, false},
    {"assistant", Role::assistant, true},
    {"gpt", Role::assistant, false},
    {"model", Role::assistant, false},
    {"chatbot", Role::assistant, true},
    {"tool", Role::tool, true},
    {"function", Role::tool, true},
    {"observation", Role::tool, false},
    {"ipython", Role::tool, true},
    {"tool_results", Role::tool, true},
}};

const RoleWord* find_word(std::string_view name) {
  const auto found = std::find_if(kWords.begin(), kWords.end(),
                                  [&](const RoleWord& row) { return row.word == name; });
  return found == kWords.end() ? nullptr : &*found;
}

}  // namespace

Role parse_role(std::string_view name, const std::string& source) {
  if (const RoleWord* word = find_word(name)) return word->role;
  std::string known;
  for (const RoleWord& row : kWords) known += (known.empty() ? "" : ", ") + std::string(row.word);
  throw Error(source + ": the role '" + std::string(name) + "' is not known (known: " + known +
              ")");
}

bool is_template_role(std::string_view name) {
  const RoleWord* word = find_word(name);
  return word && word->is_for_templates;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::markup:
      return "markup";
    case Role::tool:
      return "tool";
  }
  return "";
}

}  // namespace plumb
