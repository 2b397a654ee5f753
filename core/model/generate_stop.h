// Stop strings over tokens as they come.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

class StopStrings {
 public:
  // Error if there are strings and no tokenizer, or an empty string.
  StopStrings(const std::vector<std::string>& strings, const Tokenizer* tokenizer);

  // True when the text of these ids holds a stop string, asked after each new id. Special tokens
  // count with their text. Only the end of the text is decoded again: what came before was looked
  // at when it came.
  bool found(std::span<const int32_t> generated) const;

 private:
  std::vector<std::string> strings_;
  const Tokenizer* tokenizer_;
  std::size_t window_ = 0;  // ids decoded
};

}  // namespace plumb
