#include "core/model/generate_stop.h"

#include <algorithm>

#include "core/error.h"

namespace plumb {

// An id yields at least a byte, so a stop string of n bytes lies within the last n ids. Some more,
// because what decoding does to the first ids of a run (a space stripped, half a character) must
// not reach the string.
constexpr std::size_t kContext = 64;

StopStrings::StopStrings(const std::vector<std::string>& strings, const Tokenizer* tokenizer)
    : strings_(strings), tokenizer_(tokenizer) {
  if (!strings.empty() && tokenizer == nullptr) {
    throw Error("stop strings need the model's tokenizer; none was given", Exit::usage);
  }
  for (const std::string& text : strings) {
    if (text.empty()) {
      throw Error("stop: an empty string would end every completion at once; remove it",
                  Exit::usage);
    }
    window_ = std::max(window_, text.size() + kContext);
  }
}

bool StopStrings::found(std::span<const int32_t> generated) const {
  if (strings_.empty()) {
    return false;
  }
  const std::string text =
      tokenizer_->decode(generated.last(std::min(window_, generated.size())), SpecialTokens::keep);
  return std::any_of(strings_.begin(), strings_.end(), [&text](const std::string& string) {
    return text.find(string) != std::string::npos;
  });
}

}  // namespace plumb
