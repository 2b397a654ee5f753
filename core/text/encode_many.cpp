
#include "core/text/parallel.h"
#include "core/text/tokenizer.h"

namespace plumb {

std::vector<std::vector<std::int32_t>> encode_many(const Tokenizer& tokenizer,
                                                   std::span<const std::string> texts,
                                                   int threads) {
  std::vector<std::vector<std::int32_t>> ids(texts.size());
  text::for_each_index(texts.size(), threads,
                       [&](std::size_t i) { ids[i] = tokenizer.encode(texts[i]); });
  return ids;
}

}  // namespace plumb
