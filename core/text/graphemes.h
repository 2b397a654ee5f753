// Extended grapheme clusters (Unicode Standard Annex 29), which SentencePiece's character maps are
// applied to.
#pragma once
#include <cstddef>
#include <string_view>

namespace plumb::text {

// Where the cluster that begins at `at` (below text.size()) ends. `text` is valid UTF-8.
std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace plumb::text
