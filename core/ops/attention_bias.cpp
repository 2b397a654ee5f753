#include "core/ops/attention_bias.h"

#include <cmath>

#include "core/ops/check.h"

namespace plumb {

// The logarithm is taken in f32 as transformers does: several distances lie right on the edge of a
// bucket, and exact arithmetic would put them into the next one.
at::Tensor relative_buckets(const RelativeBias& bias, int64_t past, int64_t future) {
  const auto options = at::TensorOptions(bias.table.device()).dtype(at::kLong);
  const at::Tensor offsets = at::arange(-past, future + 1, options);
  int64_t buckets = bias.table.size(0);
  at::Tensor first = at::zeros_like(offsets), distance;
  if (bias.is_bidirectional) {
    buckets /= 2;
    first = offsets.gt(0).to(at::kLong) * buckets;
    distance = offsets.abs();
  } else {
    distance = offsets.clamp_max(0).neg();
  }
  const int64_t exact = buckets / 2;
  if (exact < 1 || bias.max_distance <= exact) {
    throw Error("attention: relative bias needs max_distance above " + std::to_string(exact) +
                " and at least " + (bias.is_bidirectional ? "4" : "2") + " buckets, got " +
                std::to_string(bias.max_distance) + " and " + std::to_string(bias.table.size(0)));
  }
  const double log_range = std::log(static_cast<double>(bias.max_distance) / exact);
  // Distances below `exact` take the other branch; 1 keeps their logarithm finite.
  const at::Tensor ratio = distance.clamp_min(1).to(at::kFloat) / exact;
  const at::Tensor far = exact + (ratio.log() / log_range * (buckets - exact)).to(at::kLong);
  return first + at::where(distance < exact, distance, far.clamp_max(buckets - 1));
}

at::Tensor relative_bias_by_offset(const RelativeBias& bias, int64_t past, int64_t future) {
  return bias.table.index_select(0, relative_buckets(bias, past, future)).t();
}

at::Tensor falcon_alibi(int64_t heads, int64_t positions, double scale) {
  if (heads < 1) {
    throw Error("attention: ALiBi needs at least one head, got " + std::to_string(heads));
  }
  const auto power_of_two =
      static_cast<int64_t>(std::exp2(std::floor(std::log2(static_cast<double>(heads)))));
  const auto slopes = [](int64_t of, int64_t count, int64_t step) {
    const double base = std::exp2(-std::exp2(-(std::log2(static_cast<double>(of)) - 3)));
    return at::pow(at::full({}, base, at::kFloat), at::arange(1, 1 + step * count, step, at::kInt));
  };
  at::Tensor all = slopes(power_of_two, power_of_two, 1);
  if (power_of_two != heads) {
    all = at::cat({all, slopes(2 * power_of_two, heads - power_of_two, 2)});
  }
  const at::Tensor biases = all.to(at::kBFloat16).unsqueeze(1) * at::arange(positions, at::kLong);
  return biases.to(at::kFloat) * scale;
}

}  // namespace plumb
