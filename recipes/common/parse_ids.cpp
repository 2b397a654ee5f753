#include "recipes/common/parse_ids.h"

#include <charconv>
#include <sstream>

#include "core/error.h"

namespace plumb {

std::vector<std::int32_t> parse_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size() || id < 0) {
      throw Error("ids: '" + word + "' is no token id; give whole numbers separated by spaces",
                  Exit::usage);
    }
    ids.push_back(id);
  }
  return ids;
}

}  // namespace plumb
