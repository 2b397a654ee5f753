// The tokens of a GGUF vocabulary by id.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/io/json.h"
#include "core/text/tokenizer.h"

namespace plumb {

// As in llama.cpp's llama_token_type.
enum class GgufTokenType : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

struct TokenList {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
};

// `rows` tokens of a tokenizer, `json` its tokenizer.json parsed; ids without one are [PADn],
// unused. Throws Error when a token lies beyond or two tokens have one text.
TokenList token_list(const Tokenizer& tokenizer, const Json& json,
                     std::optional<std::int32_t> unknown, std::int64_t rows);

}  // namespace plumb
