// From products to softmax weights, on a tile of keys (rows) by queries (lanes). Scores are kept in
// base 2: multiplied by log2(e), so that a weight is 2^(score - log-sum-exp).
#pragma once
#include <cstdint>
#include <numbers>

#include "core/ops/attention_tile.h"
#include "core/ops/attention_work.h"

namespace plumb::tile {

constexpr float kLog2E = std::numbers::log2e_v<float>;
constexpr float kLn2 = std::numbers::ln2_v<float>;
// Score of a hidden key: finite, so that a tile that a query sees nothing of gives no NaN.
constexpr float kHidden = -1e30f;

// 2^x, 0 below -126.5, within 2.1 ulp; x below 128. 2^x = 2^n 2^f, |f| <= 1/2; minimax polynomial.
PLUMB_INLINE Vec exp2(Vec x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves round(x) in the low bits
  const Vec held = max(x, broadcast(-127.0f));
  const Vec shifted = held + kRound;
  const Vec f = held - (shifted - kRound);
  Vec p = broadcast(1.326472731307149e-3f);
  p = p * f + 9.671512991189957e-3f;
  p = p * f + 5.550733581185341e-2f;
  p = p * f + 2.4022242426872253e-1f;
  p = p * f + 6.931470036506653e-1f;
  p = p * f + 1.0f;
  IntVec bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << 23) + 0x3f800000;  // of 2^n; 0 for n = -127
  Vec power;
  std::memcpy(&power, &bits, sizeof(power));
  return p * power;
}

// What a head adds to the products of one tile.
struct ScoreRule {
  float cap;              // soft cap times log2(e); 0: none, products are scores in base 2
  const float* key_bias;  // of the tile's first key, or null
  const float* relative;  // of first key and first query, rising with the query, or null
};

struct ScoreTile {
  int64_t keys, queries;
  Band band;
  ScoreRule rule;

  int64_t vecs() const { return (queries + kLanes - 1) / kLanes; }
  // Keys that lanes of a register see any of.
  std::pair<int64_t, int64_t> keys_of(int64_t vec) const {
    return band.keys_of(vec * kLanes, kLanes, keys);
  }
};

// Of up to `keys` keys from `key` on.
ScoreTile tile_of(const Problem& problem, const Block& block, int64_t key, int64_t keys);

// Products, (keys, kTile), become scores: cap, biases, hidden entries. `slope`, if not null, gets
// the derivative of a capped score by its product's argument.
void finish_scores(const ScoreTile& tile, float* scores, float* slope);

// Per query, over the tiles so far.
struct SoftmaxState {
  float* highest;  // (kTile)
  float* sum;      // (kTile): of 2^(score - highest)
  float* shrink;   // (kTile): what this tile's new highest makes of all that was summed before
};
void softmax_tile(const ScoreTile& tile, const SoftmaxState& state, float* scores);

// Scores become weights and `grad_weights` the gradient of the biased scores,
// weight * (grad_weight - delta). Entries of [0, keys) that are hidden become 0 in both.
struct SoftmaxGrad {
  const float* log_sum_exp;  // (kTile), base 2
  const float* delta;        // (kTile): sum over d of grad_out * out
};
void softmax_grad_tile(const ScoreTile& tile, const SoftmaxGrad& state, float* scores,
                       float* grad_weights);

// scores *= slope, on the tile's keys.
void apply_slope(const ScoreTile& tile, const float* slope, float* scores);

// Adds the scores' gradients along the diagonals; `grad` like ScoreRule::relative.
void add_relative_grad(const ScoreTile& tile, const float* grad_scores, float* grad);

}  // namespace plumb::tile
