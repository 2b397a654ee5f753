#include "core/ops/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/ops/adamw_kernel.h"
#include "core/ops/dynamic_map.h"

namespace plumb {
namespace {

constexpr int64_t kBlock = kAdamW8Block;

int64_t blocks_of(int64_t count) {
  return (count + kBlock - 1) / kBlock;
}

// A map and the values half-way between its neighbours.
struct CodeMap {
  explicit CodeMap(bool is_signed) : values(dynamic_map(is_signed)) {
    for (int i = 0; i < 255; ++i) {
      middles[i] = (values[i] + values[i + 1]) * 0.5f;
    }
  }
  // The nearest; of two equally near, the lower.
  int nearest(float x) const {
    return static_cast<int>(std::lower_bound(middles.begin(), middles.end(), x) - middles.begin());
  }

  std::array<float, 256> values;
  std::array<float, 255> middles;
};

// An average keeps its sign, as in bitsandbytes.
uint8_t signed_code(const CodeMap& map, float x) {
  const int code = map.nearest(x);
  return static_cast<uint8_t>(x < 0.0f && map.values[code] >= 0.0f ? code - 1 : code);
}

struct Factors {
  float beta1, beta2, one_minus_beta1, one_minus_beta2, step_size, inverse_root, eps, keep;

  Factors(const AdamWStep& step, double weight_decay)
      : beta1(static_cast<float>(step.beta1)),
        beta2(static_cast<float>(step.beta2)),
        one_minus_beta1(static_cast<float>(1.0 - step.beta1)),
        one_minus_beta2(static_cast<float>(1.0 - step.beta2)),
        eps(static_cast<float>(step.eps)),
        keep(static_cast<float>(1.0 - step.lr * weight_decay)) {
    const auto t = static_cast<double>(step.updates);
    step_size = static_cast<float>(step.lr / (1.0 - std::pow(step.beta1, t)));
    inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(step.beta2, t)));
  }
};

// Pointers to one block of a tensor.
struct Block {
  float* weight;
  const float* grad;
  uint8_t *avg, *sq;
  float *absmax_avg, *absmax_sq;
  int64_t count;
};

void update_block(const Block& block, const Factors& by) {
  static const CodeMap signed_map(true), unsigned_map(false);
  float m[kBlock], v[kBlock];
  float most_avg = 0, most_sq = 0;
  for (int64_t i = 0; i < block.count; ++i) {
    const float g = block.grad[i];
    m[i] = signed_map.values[block.avg[i]] * *block.absmax_avg * by.beta1 + by.one_minus_beta1 * g;
    v[i] =
        unsigned_map.values[block.sq[i]] * *block.absmax_sq * by.beta2 + by.one_minus_beta2 * g * g;
    block.weight[i] = block.weight[i] * by.keep -
                      by.step_size * m[i] / (std::sqrt(v[i]) * by.inverse_root + by.eps);
    most_avg = std::max(most_avg, std::abs(m[i]));
    most_sq = std::max(most_sq, v[i]);
  }
  for (int64_t i = 0; i < block.count; ++i) {
    block.avg[i] = signed_code(signed_map, most_avg > 0 ? m[i] / most_avg : 0.0f);
    block.sq[i] = static_cast<uint8_t>(unsigned_map.nearest(most_sq > 0 ? v[i] / most_sq : 0.0f));
  }
  *block.absmax_avg = most_avg;
  *block.absmax_sq = most_sq;
}

void update_in_8_bits(const AdamWSlot& slot, const AdamWStep& step) {
  const Factors by(step, slot.weight_decay);
  const int64_t count = slot.weight.numel();
  const Block whole{slot.weight.mutable_data_ptr<float>(),
                    slot.grad.const_data_ptr<float>(),
                    slot.exp_avg.mutable_data_ptr<uint8_t>(),
                    slot.exp_avg_sq.mutable_data_ptr<uint8_t>(),
                    slot.absmax_avg.mutable_data_ptr<float>(),
                    slot.absmax_sq.mutable_data_ptr<float>(),
                    0};
  at::parallel_for(0, blocks_of(count), 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t at = b * kBlock;
      update_block({whole.weight + at, whole.grad + at, whole.avg + at, whole.sq + at,
                    whole.absmax_avg + b, whole.absmax_sq + b, std::min(kBlock, count - at)},
                   by);
    }
  });
}

// ATen's fused update of tensors that share their decay.
void update_fused(const std::vector<const AdamWSlot*>& slots, double decay, const AdamWStep& step) {
  std::vector<at::Tensor> params, grads, means, squares, counts;
  for (const AdamWSlot* slot : slots) {
    params.push_back(slot->weight);
    grads.push_back(slot->grad);
    means.push_back(slot->exp_avg);
    squares.push_back(slot->exp_avg_sq);
    counts.push_back(at::full({}, static_cast<double>(step.updates), at::kFloat));
  }
  at::_fused_adamw_(params, grads, means, squares, /*max_exp_avg_sqs=*/{}, counts, step.lr,
                    step.beta1, step.beta2, decay, step.eps, /*amsgrad=*/false,
                    /*maximize=*/false);
}

}  // namespace

AdamWSlot new_adamw_slot(const at::Tensor& weight, const at::Tensor& grad, bool in_8_bits) {
  AdamWSlot slot{.weight = weight, .grad = grad};
  const auto options = weight.options().requires_grad(false);
  const auto state = in_8_bits ? options.dtype(at::kByte) : options;
  slot.exp_avg = at::zeros(weight.sizes(), state);
  slot.exp_avg_sq = at::zeros(weight.sizes(), state);
  if (in_8_bits) {
    slot.absmax_avg = at::zeros({blocks_of(weight.numel())}, options);
    slot.absmax_sq = at::zeros({blocks_of(weight.numel())}, options);
  }
  return slot;
}

void adamw_step(const std::vector<AdamWSlot>& slots, const AdamWStep& step) {
  std::map<double, std::vector<const AdamWSlot*>> by_decay;
  for (const AdamWSlot& slot : slots) {
    if (slot.is_8bit()) {
      update_in_8_bits(slot, step);
    } else {
      by_decay[slot.weight_decay].push_back(&slot);
    }
  }
  for (const auto& [decay, together] : by_decay) {
    update_fused(together, decay, step);
  }
}

}  // namespace plumb
