#include "core/model/decode_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/io/ggml_types.h"

namespace plumb {
namespace {

constexpr float kLargestHalf = 65504.0f;
constexpr int64_t kConvertGrain = 32768;  // weights that pay for another thread

int64_t groups_of(int64_t width) {
  return (width + kScaleGroup - 1) / kScaleGroup;
}

// As ggml's quantize_row_q8_0_ref: values by the f32 scale, which is then rounded to f16.
float quantise(const float* from, int64_t count, int8_t* to) {
  float largest = 0;
  bool is_finite = true;
  for (int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(from[i]));
    is_finite = is_finite && std::isfinite(from[i]);
  }
  const float scale = largest / 127.0f;
  if (!is_finite || scale > kLargestHalf) {
    throw Error(
        "int8 weights: a weight is not finite, or too large for its scale to be f16 (over " +
            std::to_string(127 * kLargestHalf) +
            "); plumb info names tensors with such values; use weights f32",
        Exit::non_finite);
  }
  const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
  for (int64_t i = 0; i < count; ++i) {
    to[i] = static_cast<int8_t>(std::round(from[i] * inverse));
  }
  return from_half(to_half(scale));
}

void quantise_rows(const at::Tensor& from, const at::Tensor& values, const at::Tensor& scales) {
  const int64_t width = from.size(1), groups = groups_of(width);
  const float* source = from.const_data_ptr<float>();
  auto* to = values.mutable_data_ptr<int8_t>();
  auto* to_scales = scales.mutable_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kConvertGrain / width);
  at::parallel_for(0, from.size(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t at = row * width + group * kScaleGroup;
        const int64_t count = std::min(kScaleGroup, width - group * kScaleGroup);
        to_scales[row * groups + group] = quantise(source + at, count, to + at);
      }
    }
  });
}

int64_t value_bytes(WeightFormat format) {
  switch (format) {
    case WeightFormat::f32:
      return 4;
    case WeightFormat::bf16:
      return 2;
    case WeightFormat::int8:
      return 1;
  }
  return 0;
}

}  // namespace

WeightFormat weight_format_of(const std::string& name) {
  if (name == "f32") return WeightFormat::f32;
  if (name == "bf16") return WeightFormat::bf16;
  if (name == "int8") return WeightFormat::int8;
  throw Error("weights: '" + name + "' is none of f32, bf16, int8", Exit::usage);
}

void DecodeWeights::prepare(const Decoder& decoder) {
  for (const LayerWeights& layer : decoder.weights.layers) {
    for (const Product which : {Product::qkv, Product::o, Product::gate_up, Product::down}) {
      const ProductWeights& product = layer.product(which);
      if (!decoder.config.is_encoder_decoder) {  // of those some rows and layers are not decoded
        get(product.weight, product.bias);
      }
    }
  }
  get(decoder.weights.lm_head, {});
}

const DecodeWeights::Narrow& DecodeWeights::narrow(const at::Tensor& weight) {
  const auto [place, is_new] = narrow_.try_emplace(weight.const_data_ptr<float>());
  Narrow& made = place->second;
  if (is_new || made.source.sizes() != weight.sizes()) {
    made.source = weight;
    if (format_ == WeightFormat::bf16) {
      made.values = blocks_.empty(weight.sizes(), at::kBFloat16).copy_(weight.detach());
    } else {
      made.values = blocks_.empty(weight.sizes(), at::kChar);
      made.scales = at::empty({weight.size(0), groups_of(weight.size(1))}, at::kFloat);
      quantise_rows(weight, made.values, made.scales);
    }
  }
  return made;
}

DecodeWeight DecodeWeights::get(const at::Tensor& weight, const at::Tensor& bias) {
  DecodeWeight result{.values = weight.const_data_ptr<float>(),
                      .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                      .out_features = weight.size(0),
                      .in_features = weight.size(1),
                      .format = format_};
  if (format_ != WeightFormat::f32) {
    const Narrow& made = narrow(weight);
    result.values = made.values.const_data_ptr();
    result.scales = made.scales.defined() ? made.scales.const_data_ptr<float>() : nullptr;
  }
  return result;
}

DecodeWeight weight_rows(const DecodeWeight& weight, int64_t first, int64_t count) {
  DecodeWeight rows = weight;
  const auto* bytes = static_cast<const char*>(weight.values);
  rows.values = bytes + first * weight.in_features * value_bytes(weight.format);
  rows.bias = weight.bias == nullptr ? nullptr : weight.bias + first;
  rows.scales =
      weight.scales == nullptr ? nullptr : weight.scales + first * groups_of(weight.in_features);
  rows.out_features = count;
  return rows;
}

}  // namespace plumb
