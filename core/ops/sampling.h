// One token from one row of logits. Filters and their order are transformers' (generation/
// logits_process.py): repetition penalty and banned tokens, then temperature, top-k, top-p, min-p.
// Pure functions of the row: the same logits and the same uniform number give the same token.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace plumb {

struct SamplingFilters {
  double temperature = 1.0;  // 0: the likeliest token, the lowest id among equals; filters are moot
  int64_t top_k = 0;         // 0 keeps all; tokens equal to the k-th stay
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
};

struct SamplingRow {
  std::span<const float> logits;    // (V), finite
  std::span<const int32_t> seen;    // ids that the repetition penalty holds against, each once
  std::span<const int32_t> banned;  // ids that must not be drawn: EOS while too few are generated
  double uniform = 0.0;             // in [0, 1); inverse CDF in order of ids
};

struct DrawnToken {
  int32_t id = 0;
  float logprob = 0.0f;  // under softmax(logits / temperature), of temperature 1 when that is 0:
                         // before penalty, ban and filters. Sums in f64
};

// A token that the filters left, with its weight: e^(score - highest score).
struct WeightedToken {
  int32_t id = 0;
  float weight = 0.0f;
};

// Buffers that grow to the vocabulary once.
struct SamplingScratch {
  std::vector<float> scores;
  std::vector<float> selection;
  std::vector<double> sums;
  std::vector<WeightedToken> kept;
  std::vector<WeightedToken> shuffled;
};

bool all_finite(std::span<const float> logits);

DrawnToken draw_token(const SamplingFilters& filters, const SamplingRow& row,
                      SamplingScratch& scratch);

// What draw_token draws from, in order of ids; temperature > 0. Tokens whose weight is below f32's
// normal range are not listed. Lives in scratch.kept.
std::span<const WeightedToken> filtered_tokens(const SamplingFilters& filters,
                                               const SamplingRow& row, SamplingScratch& scratch);

}  // namespace plumb
