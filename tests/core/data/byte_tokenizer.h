// A tokenizer small enough to check by hand: each byte is a token, 4 + its value; before those
// <s> (0), <|endoftext|> (1, EOS), <|im_start|> (2), <|im_end|> (3).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

enum class TextStart { nothing, bos };
Tokenizer byte_tokenizer(TextStart start = TextStart::nothing);

std::vector<std::int32_t> byte_ids(std::string_view text);

inline constexpr std::int32_t kByteBos = 0;
inline constexpr std::int32_t kByteEos = 1;

}  // namespace plumb
