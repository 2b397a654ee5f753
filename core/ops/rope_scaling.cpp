#include "core/ops/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plumb {
namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;

at::Tensor exponents(const RotarySpec& spec) {
  return at::arange(0, spec.dim, 2, at::kFloat) / spec.dim;
}

at::Tensor plain(const RotarySpec& spec, double theta) {
  return 1.0 / at::pow(at::Scalar(theta), exponents(spec));
}

// _compute_dynamic_ntk_parameters. Lengths within the original one keep python's float64 base;
// beyond it transformers' length is a tensor, and the base becomes f32.
at::Tensor dynamic(const RotarySpec& spec, int64_t length) {
  const double factor = spec.scaling.factor;
  const auto original = static_cast<double>(spec.scaling.original_max_position_embeddings);
  const double power = static_cast<double>(spec.dim) / static_cast<double>(spec.dim - 2);
  if (length <= spec.scaling.original_max_position_embeddings) {
    return plain(spec, spec.theta * std::pow(factor * original / original - (factor - 1), power));
  }
  const at::Tensor stretch =
      at::scalar_tensor(length, at::kLong) * at::Scalar(factor) / original - (factor - 1);
  const at::Tensor base = at::pow(stretch, power) * spec.theta;
  return 1.0 / at::pow(base, exponents(spec));
}

// _compute_llama3_parameters (Llama 3.1).
at::Tensor llama3(const RotarySpec& spec) {
  const RopeScaling& rope = spec.scaling;
  const auto original = static_cast<double>(rope.original_max_position_embeddings);
  const double low_wavelength = original / rope.low_freq_factor;
  const double high_wavelength = original / rope.high_freq_factor;
  const at::Tensor inv_freq = plain(spec, spec.theta);
  const at::Tensor wavelength = kTwoPi / inv_freq;
  const at::Tensor slowed =
      at::where(wavelength > low_wavelength, inv_freq / rope.factor, inv_freq);
  const at::Tensor smooth = (original / wavelength - rope.low_freq_factor) /
                            (rope.high_freq_factor - rope.low_freq_factor);
  const at::Tensor blended = (1 - smooth) * slowed / rope.factor + smooth * slowed;
  const at::Tensor between =
      (wavelength >= high_wavelength).logical_and(wavelength <= low_wavelength);
  return at::where(between, blended, slowed);
}

// _compute_yarn_parameters (Peng et al. 2023, section 3.2): the dimension that makes this many
// rotations over the original length.
double yarn_dimension(const RotarySpec& spec, double rotations) {
  const auto original = static_cast<double>(spec.scaling.original_max_position_embeddings);
  return static_cast<double>(spec.dim) * std::log(original / (rotations * kTwoPi)) /
         (2 * std::log(spec.theta));
}

at::Tensor yarn(const RotarySpec& spec) {
  const RopeScaling& rope = spec.scaling;
  double low = yarn_dimension(spec, rope.beta_fast);
  double high = yarn_dimension(spec, rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(spec.dim - 1));
  if (low == high) {
    high += 0.001;
  }
  const at::Tensor ramp = ((at::arange(spec.dim / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  const at::Tensor kept = 1 - ramp;
  const at::Tensor wavelengths = at::pow(at::Scalar(spec.theta), exponents(spec));
  return 1.0 / (rope.factor * wavelengths) * (1 - kept) + 1.0 / wavelengths * kept;
}

}  // namespace

RotaryFrequencies rotary_frequencies(const RotarySpec& spec, int64_t length) {
  switch (spec.scaling.type) {
    case RopeType::linear:
      return {plain(spec, spec.theta) / spec.scaling.factor};
    case RopeType::dynamic:
      return {dynamic(spec, length)};
    case RopeType::llama3:
      return {llama3(spec)};
    case RopeType::yarn:
      return {yarn(spec), spec.scaling.attention_factor};
    default:
      return {plain(spec, spec.theta)};
  }
}

}  // namespace plumb
