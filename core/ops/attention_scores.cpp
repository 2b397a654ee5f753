#include "core/ops/attention_scores.h"

#include "core/ops/vector_exp.h"

namespace plumb::tile {
namespace {

void cap_scores(const ScoreTile& tile, float* scores, float* slope) {
  const int64_t count = tile.keys * kTile;
  const float cap = tile.rule.cap;
  if (slope == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      scores[i] = cap * vector_tanh(scores[i]);
    }
    return;
  }
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float t = vector_tanh(scores[i]);
    scores[i] = cap * t;
    slope[i] = 1.0f - t * t;
  }
}

void add_biases(const ScoreTile& tile, float* scores) {
  const ScoreRule& rule = tile.rule;
  for (int64_t key = 0; key < tile.keys; ++key) {
    const Vec of_key = broadcast(rule.key_bias != nullptr ? rule.key_bias[key] * kLog2E : 0.0f);
    for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
      float* at = scores + key * kTile + vec * kLanes;
      Vec score = load(at) + of_key;
      if (rule.relative != nullptr) {
        score += load(rule.relative - key + vec * kLanes);
      }
      store(at, score);
    }
  }
}

void hide(const ScoreTile& tile, float* scores) {
  const IntVec lanes = lane_index();
  for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
    auto [begin, end] = tile.keys_of(vec);
    if (tile.band.covers_past(vec * kLanes + kLanes - 1)) {
      begin = std::clamp(vec * kLanes + tile.band.high + 1, begin, end);  // whole rows before it
    }
    for (int64_t key = begin; key < end; ++key) {
      const auto first = static_cast<int32_t>(key - tile.band.high - vec * kLanes);
      const auto last = static_cast<int32_t>(key - tile.band.low - vec * kLanes);
      float* at = scores + key * kTile + vec * kLanes;
      const Vec score = load(at);
      store(at, (lanes >= first) & (lanes <= last) ? score : broadcast(kHidden));
    }
  }
}

void clear(float* tile, int64_t vec, int64_t begin, int64_t end) {
  for (int64_t key = begin; key < end; ++key) {
    store(tile + key * kTile + vec * kLanes, Vec{});
  }
}

Vec highest_of(const float* scores, int64_t begin, int64_t end, Vec before) {
  Vec a = before, b = before, c = before, d = before;
  int64_t key = begin;
  for (; key + 4 <= end; key += 4) {
    a = max(a, load(scores + key * kTile));
    b = max(b, load(scores + (key + 1) * kTile));
    c = max(c, load(scores + (key + 2) * kTile));
    d = max(d, load(scores + (key + 3) * kTile));
  }
  for (; key < end; ++key) {
    a = max(a, load(scores + key * kTile));
  }
  return max(max(a, b), max(c, d));
}

ScoreRule rule_of(const Problem& problem, const Block& block, int64_t key) {
  ScoreRule rule{problem.softcap * kLog2E, nullptr, nullptr};
  if (problem.key_bias != nullptr) {
    rule.key_bias = problem.key_bias + block.head * problem.key_bias_stride + key;
  }
  if (problem.relative != nullptr) {
    rule.relative = problem.relative + block.head * problem.relative_stride +
                    problem.relative_future - (key - block.position);
  }
  return rule;
}

}  // namespace

ScoreTile tile_of(const Problem& problem, const Block& block, int64_t key, int64_t keys) {
  // To the end of the sequence, not of what the block sees: the rows of all these keys take part
  // in products by whole registers, so hidden entries must be 0.
  return {std::min(keys, block.keys - key), block.count, block.band(problem, key),
          rule_of(problem, block, key)};
}

void finish_scores(const ScoreTile& tile, float* scores, float* slope) {
  if (tile.rule.cap > 0) {
    cap_scores(tile, scores, slope);
  }
  if (tile.rule.key_bias != nullptr || tile.rule.relative != nullptr) {
    add_biases(tile, scores);
  }
  if (!tile.band.covers(tile.keys, tile.queries)) {
    hide(tile, scores);
  }
}

void softmax_tile(const ScoreTile& tile, const SoftmaxState& state, float* scores) {
  for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
    const int64_t lane = vec * kLanes;
    const auto [begin, end] = tile.keys_of(vec);
    const Vec before = load(state.highest + lane);
    const Vec highest = highest_of(scores + lane, begin, end, before);
    Vec sum = {};
    for (int64_t key = begin; key < end; ++key) {
      float* at = scores + key * kTile + lane;
      const Vec weight = exp2(load(at) - highest);
      store(at, weight);
      sum += weight;
    }
    clear(scores, vec, 0, begin);
    clear(scores, vec, end, tile.keys);
    const Vec shrink = exp2(before - highest);
    store(state.highest + lane, highest);
    store(state.shrink + lane, shrink);
    store(state.sum + lane, load(state.sum + lane) * shrink + sum);
  }
}

void softmax_grad_tile(const ScoreTile& tile, const SoftmaxGrad& state, float* scores,
                       float* grad_weights) {
  for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
    const int64_t lane = vec * kLanes;
    const auto [begin, end] = tile.keys_of(vec);
    const Vec log_sum_exp = load(state.log_sum_exp + lane), delta = load(state.delta + lane);
    for (int64_t key = begin; key < end; ++key) {
      float* at = scores + key * kTile + lane;
      float* grad = grad_weights + key * kTile + lane;
      const Vec weight = exp2(load(at) - log_sum_exp);
      store(at, weight);
      store(grad, weight * (load(grad) - delta));
    }
    for (float* cleared : {scores, grad_weights}) {
      clear(cleared, vec, 0, begin);
      clear(cleared, vec, end, tile.keys);
    }
  }
}

void apply_slope(const ScoreTile& tile, const float* slope, float* scores) {
  for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
    const auto [begin, end] = tile.keys_of(vec);
    for (int64_t key = begin; key < end; ++key) {
      const int64_t at = key * kTile + vec * kLanes;
      store(scores + at, load(scores + at) * load(slope + at));
    }
  }
}

void add_relative_grad(const ScoreTile& tile, const float* grad_scores, float* grad) {
  for (int64_t key = 0; key < tile.keys; ++key) {
    for (int64_t vec = 0; vec < tile.vecs(); ++vec) {
      float* at = grad - key + vec * kLanes;
      store(at, load(at) + load(grad_scores + key * kTile + vec * kLanes));
    }
  }
}

}  // namespace plumb::tile
