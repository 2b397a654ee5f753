// What a tokenizer puts after a text; prefix_ids() is what it puts before.
#pragma once
#include <cstdint>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

// EOS with T5's tokenizers, nothing with most others.
std::vector<std::int32_t> suffix_ids(const Tokenizer& tokenizer);

}  // namespace plumb
