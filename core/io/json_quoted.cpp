#include "core/io/json_quoted.h"

#include "core/io/json.h"

namespace plumb {

std::string json_quoted(std::string_view text, std::size_t longest) {
  const Json value = std::string(text.substr(0, longest));
  const std::string literal = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= longest ? literal : literal + "...";
}

}  // namespace plumb
