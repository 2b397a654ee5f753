#include "core/ops/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/ops/vector_exp.h"

namespace plumb {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kBlock = 256;        // sums of this many weights are kept, so that a draw skips
constexpr int64_t kSelectionRun = 32;  // scores that one maximum stands for in top-k
constexpr int64_t kSortedDirectly = 64;

float highest_of(std::span<const float> values) {
  const auto n = static_cast<int64_t>(values.size());
  float highest = -kInfinity;
#pragma omp simd reduction(max : highest)
  for (int64_t i = 0; i < n; ++i) {
    highest = std::max(highest, values[i]);
  }
  return highest;
}

int32_t likeliest(std::span<const float> scores) {
  const float highest = highest_of(scores);
  return static_cast<int32_t>(std::find(scores.begin(), scores.end(), highest) - scores.begin());
}

// weights = e^(scores / divisor - highest), which is at most 1; zero where f32 leaves its normal
// range, so that -infinity is never drawn. Returns their sum. In place is allowed.
double weigh(std::span<const float> scores, float divisor, float highest, float* weights) {
  const auto n = static_cast<int64_t>(scores.size());
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float x = scores[i] / divisor - highest;
    const float weight = vector_exp(x);
    weights[i] = x < -87.0f ? 0.0f : weight;
  }
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    sum += weights[i];
  }
  return sum;
}

// log softmax(logits / temperature)[id].
double log_probability(std::span<const float> logits, float temperature, int32_t id) {
  const auto n = static_cast<int64_t>(logits.size());
  const float highest = highest_of(logits) / temperature;
  double sum = 0;
  std::array<float, kBlock> weights;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    sum += weigh(logits.subspan(begin, std::min(kBlock, n - begin)), temperature, highest,
                 weights.data());
  }
  return static_cast<double>(logits[id] / temperature) - highest - std::log(sum);
}

// transformers' RepetitionPenaltyLogitsProcessor and MinNewTokensLengthLogitsProcessor.
std::span<float> penalised(const SamplingFilters& filters, const SamplingRow& row,
                           SamplingScratch& scratch) {
  scratch.scores.assign(row.logits.begin(), row.logits.end());
  const std::span<float> scores = scratch.scores;
  const auto penalty = static_cast<float>(filters.repetition_penalty);
  if (penalty != 1.0f) {
    for (const int32_t id : row.seen) {
      scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
    }
  }
  for (const int32_t id : row.banned) {
    scores[id] = -kInfinity;
  }
  return scores;
}

std::span<float> tempered(const SamplingFilters& filters, const SamplingRow& row,
                          SamplingScratch& scratch) {
  const std::span<float> scores = penalised(filters, row, scratch);
  const auto temperature = static_cast<float>(filters.temperature);
  for (float& score : scores) {
    score /= temperature;
  }
  return scores;
}

// The k-th largest score. The k-th largest of the maxima of runs bounds it from below, so that only
// what reaches the bound is put in order.
float kth_largest(std::span<const float> scores, int64_t k, std::vector<float>& selection) {
  selection.clear();
  const auto n = static_cast<int64_t>(scores.size());
  for (int64_t begin = 0; begin < n; begin += kSelectionRun) {
    selection.push_back(
        highest_of(scores.subspan(begin, std::min<int64_t>(kSelectionRun, n - begin))));
  }
  float bound = -kInfinity;
  if (k <= static_cast<int64_t>(selection.size())) {
    std::nth_element(selection.begin(), selection.begin() + (k - 1), selection.end(),
                     std::greater<>());
    bound = selection[k - 1];
  }
  selection.clear();
  std::copy_if(scores.begin(), scores.end(), std::back_inserter(selection),
               [bound](float score) { return score >= bound; });
  std::nth_element(selection.begin(), selection.begin() + (k - 1), selection.end(),
                   std::greater<>());
  return selection[k - 1];
}

// Order of top-p: likelier first, of equals the lower id (transformers leaves that to its sort).
bool comes_before(const WeightedToken& a, const WeightedToken& b) {
  return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
}

double mass_of(std::span<const WeightedToken> tokens) {
  double mass = 0;
  for (const WeightedToken& token : tokens) {
    mass += token.weight;
  }
  return mass;
}

// The last token that top-p keeps: the mass before it is below `wanted`. Halves by nth_element
// instead of sorting; `tokens` is reordered.
WeightedToken last_of_mass(std::span<WeightedToken> tokens, double wanted) {
  double before = 0;
  while (static_cast<int64_t>(tokens.size()) > kSortedDirectly) {
    const std::size_t half = tokens.size() / 2;
    std::nth_element(tokens.begin(), tokens.begin() + half, tokens.end(), comes_before);
    const double mass = mass_of(tokens.first(half));
    if (before + mass >= wanted) {
      tokens = tokens.first(half);
    } else {
      before += mass;
      tokens = tokens.subspan(half);
    }
  }
  std::sort(tokens.begin(), tokens.end(), comes_before);
  WeightedToken last = tokens.front();
  for (const WeightedToken& token : tokens) {
    if (before >= wanted) {
      break;
    }
    last = token;
    before += token.weight;
  }
  return last;
}

// Of tokens whose weights sum to `total`.
void keep_top_p(double top_p, double total, SamplingScratch& scratch) {
  scratch.shuffled = scratch.kept;
  const WeightedToken last = last_of_mass(scratch.shuffled, top_p * total);
  std::erase_if(scratch.kept,
                [&last](const WeightedToken& token) { return comes_before(last, token); });
}

// Any draw beyond the sum, which rounding allows, is the last token with any weight.
int32_t draw_from(std::span<const WeightedToken> tokens, double uniform) {
  const double wanted = uniform * mass_of(tokens);
  double sum = 0;
  int32_t id = tokens.front().id;
  for (const WeightedToken& token : tokens) {
    if (token.weight > 0) {
      id = token.id;
    }
    sum += token.weight;
    if (sum > wanted) {
      break;
    }
  }
  return id;
}

// As draw_from, for a whole vocabulary whose highest score is `highest`: scores become weights, and
// blocks that the draw passes over are not walked. The sum of the weights goes to `total`.
int32_t draw_from_all(std::span<float> scores, float highest, double uniform,
                      std::vector<double>& sums, double& total) {
  const auto n = static_cast<int64_t>(scores.size());
  sums.clear();
  total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const std::span<float> block = scores.subspan(begin, std::min(kBlock, n - begin));
    sums.push_back(weigh(block, 1.0f, highest, block.data()));
    total += sums.back();
  }
  const double wanted = uniform * total;
  double before = 0;
  int64_t id = 0;
  for (int64_t block = 0; block * kBlock < n; ++block) {
    if (before + sums[block] <= wanted && (block + 1) * kBlock < n) {
      before += sums[block];
      continue;
    }
    for (int64_t i = block * kBlock; i < std::min(n, (block + 1) * kBlock); ++i) {
      id = scores[i] > 0 ? i : id;
      before += scores[i];
      if (before > wanted) {
        return static_cast<int32_t>(id);
      }
    }
  }
  return static_cast<int32_t>(id);
}

bool filters_tokens(const SamplingFilters& filters) {
  return filters.top_k > 0 || filters.top_p < 1.0 || filters.min_p > 0.0;
}

}  // namespace

bool all_finite(std::span<const float> logits) {
  const auto n = static_cast<int64_t>(logits.size());
  int bad = 0;
#pragma omp simd reduction(| : bad)
  for (int64_t i = 0; i < n; ++i) {
    bad |= !(std::abs(logits[i]) <= std::numeric_limits<float>::max());
  }
  return bad == 0;
}

std::span<const WeightedToken> filtered_tokens(const SamplingFilters& filters,
                                               const SamplingRow& row, SamplingScratch& scratch) {
  const std::span<float> scores = tempered(filters, row, scratch);
  const auto vocab = static_cast<int64_t>(scores.size());
  if (filters.top_k > 0 && filters.top_k < vocab) {
    const float lowest = kth_largest(scores, filters.top_k, scratch.selection);
    for (float& score : scores) {
      score = score < lowest ? -kInfinity : score;
    }
  }
  const std::span<const float> weights = scores;
  const double total = weigh(scores, 1.0f, highest_of(scores), scores.data());
  // All tokens lighter than this together weigh less than what top-p cuts off.
  const double light = std::max(0.0, 1.0 - filters.top_p) * total / static_cast<double>(vocab);
  const auto lightest = static_cast<float>(std::max(light * (1 - 1e-6), filters.min_p));
  scratch.kept.clear();
  for (int64_t i = 0; i < vocab; ++i) {
    if (weights[i] >= lightest && weights[i] > 0) {
      scratch.kept.push_back({static_cast<int32_t>(i), weights[i]});
    }
  }
  if (filters.top_p < 1.0) {
    keep_top_p(filters.top_p, total, scratch);
  }
  return scratch.kept;
}

DrawnToken draw_token(const SamplingFilters& filters, const SamplingRow& row,
                      SamplingScratch& scratch) {
  const bool greedy = filters.temperature == 0.0;
  const float temperature = greedy ? 1.0f : static_cast<float>(filters.temperature);
  int32_t id = 0;
  if (greedy) {
    id = likeliest(penalised(filters, row, scratch));
  } else if (filters_tokens(filters)) {
    id = draw_from(filtered_tokens(filters, row, scratch), row.uniform);
  } else {
    const std::span<float> scores = tempered(filters, row, scratch);
    const float highest = highest_of(scores);
    double total = 0;
    id = draw_from_all(scores, highest, row.uniform, scratch.sums, total);
    if (filters.repetition_penalty == 1.0 && row.banned.empty()) {
      // What was drawn from is the distribution itself: its sum need not be formed again.
      return {id, static_cast<float>(static_cast<double>(row.logits[id] / temperature) - highest -
                                     std::log(total))};
    }
  }
  return {id, static_cast<float>(log_probability(row.logits, temperature, id))};
}

}  // namespace plumb
