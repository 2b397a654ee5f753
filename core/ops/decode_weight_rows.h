// One row of weights in each format, a register of f32 at a time.
#pragma once
#include <cstdint>

#include "core/ops/decode_linear.h"
#include "core/ops/decode_vec.h"

namespace plumb::decode {

template <WeightFormat kFormat>
struct WeightRow;

// at(k, group): weights [k, k + kLanes); `group` is a place among them that belongs to the scale
// wanted. part(count): the first `count` < kLanes, zeros behind them.
template <>
struct WeightRow<WeightFormat::f32> {
  using Value = float;
  const Value* values;

  WeightRow(const DecodeWeight& weight, int64_t output)
      : values(static_cast<const Value*>(weight.values) + output * weight.in_features) {}
  PLUMB_INLINE Vec at(int64_t k, int64_t /*group*/) const { return load(values + k); }
  PLUMB_INLINE Vec part(int64_t count) const { return load_part(values, count); }
};

template <>
struct WeightRow<WeightFormat::bf16> {
  using Value = uint16_t;
  const Value* values;

  WeightRow(const DecodeWeight& weight, int64_t output)
      : values(static_cast<const Value*>(weight.values) + output * weight.in_features) {}
  PLUMB_INLINE Vec at(int64_t k, int64_t /*group*/) const { return widen_bf16(values + k); }
  PLUMB_INLINE Vec part(int64_t count) const {
    Value values_and_zeros[kLanes] = {};
    std::memcpy(values_and_zeros, values, sizeof(Value) * count);
    return widen_bf16(values_and_zeros);
  }
};

template <>
struct WeightRow<WeightFormat::int8> {
  using Value = int8_t;
  const Value* values;
  const float* scales;

  WeightRow(const DecodeWeight& weight, int64_t output)
      : values(static_cast<const Value*>(weight.values) + output * weight.in_features),
        scales(weight.scales + output * ((weight.in_features + kScaleGroup - 1) / kScaleGroup)) {}
  PLUMB_INLINE Vec at(int64_t k, int64_t group) const {
    return widen_int8(values + k) * broadcast(scales[group / kScaleGroup]);
  }
  PLUMB_INLINE Vec part(int64_t count) const {
    Value values_and_zeros[kLanes] = {};
    std::memcpy(values_and_zeros, values, sizeof(Value) * count);
    return widen_int8(values_and_zeros) * broadcast(scales[0]);
  }
};

}  // namespace plumb::decode
