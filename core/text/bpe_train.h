// The merges of byte-pair encoding from counted words: Hugging Face's BpeTrainer, step by step.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/text/vocab.h"

namespace plumb::text {

using WordCounts = std::unordered_map<std::string, std::int64_t, StringHash, std::equal_to<>>;

struct BpeTraining {
  std::vector<std::string> tokens;                            // by id
  std::vector<std::pair<std::int32_t, std::int32_t>> merges;  // ids, in order of rank
};

// `tokens` holds what must be in the vocabulary beforehand (special tokens, alphabet); characters
// of words that are not in it are passed over. Adds tokens until there are `vocab_size`, or until
// no pair occurs `min_frequency` times. The most frequent pair first; of equals, the lowest ids.
BpeTraining train_bpe(const WordCounts& words, std::vector<std::string> tokens,
                      std::int64_t vocab_size, std::int64_t min_frequency);

}  // namespace plumb::text
