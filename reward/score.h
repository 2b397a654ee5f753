// Raw rewards of token sequences, in micro-batches by token budget; no gradient. A text's score
// does not depend on what is packed beside it (to the rounding of the GEMMs, 1e-5).
#pragma once
#include <cstdint>
#include <vector>

#include "core/data/prepare.h"
#include "core/model/decoder.h"
#include "reward/reward_model.h"

namespace plumb {

struct Scorer {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: the base alone
  at::Tensor score;                  // (1, C)
  int64_t micro_batch_tokens = 4096;
};

std::vector<double> score_sequences(const Scorer& scorer,
                                    const std::vector<std::vector<int32_t>>& sequences);

struct PairScores {
  std::vector<double> chosen, rejected;  // raw
  double accuracy() const;  // share of pairs with chosen above rejected; a tie counts half
};
// The first `count` pairs, or all when there are fewer.
PairScores score_pairs(const Scorer& scorer, const Dataset& pairs, int64_t count);

// Mean and standard deviation of all scores of the pairs.
RewardStatistics statistics_of(const PairScores& scores);

}  // namespace plumb
