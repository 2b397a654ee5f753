#include "core/text/suffix_ids.h"

namespace plumb {

std::vector<std::int32_t> suffix_ids(const Tokenizer& tokenizer) {
  const std::vector<std::int32_t> around = tokenizer.encode("");
  const std::vector<std::int32_t> before = tokenizer.prefix_ids();
  return {around.begin() + static_cast<std::ptrdiff_t>(before.size()), around.end()};
}

}  // namespace plumb
