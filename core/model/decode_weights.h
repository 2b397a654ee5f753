// The weights that decoding reads, in the format that was asked for. f32 is the model's own memory;
// narrower ones are copies, made when a tensor is first asked for and kept: generation that runs
// again and again (PPO's rollouts) over a frozen base converts it once.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <unordered_map>

#include "core/model/decoder.h"
#include "core/model/huge_pages.h"
#include "core/ops/decode_linear.h"

namespace plumb {

// "f32", "bf16", "int8"; throws Error at others.
WeightFormat weight_format_of(const std::string& name);

class DecodeWeights {
 public:
  explicit DecodeWeights(WeightFormat format = WeightFormat::f32) : format_(format) {}

  // Makes the copies of a decoder's products and head now, not at its first step.
  void prepare(const Decoder& decoder);

  // weight: (O, I) f32 on the CPU, contiguous; it must not change as long as this lives, but for
  // f32. bias: (O) or undefined. Throws Error (Exit::non_finite) where int8 cannot hold a weight:
  // not finite, or beyond 127 times the largest f16.
  //
  // bf16 rounds to the nearest, which changes nothing where the checkpoint was bf16. int8 is
  // symmetric, a scale for each 32 weights of a row: what ggml's q8_0 makes of them, to the bit
  // (scale = largest / 127 in f16, values rounded by the scale before that; a row's last group may
  // be shorter). A weight then errs by at most 0.5 + 127 / 2048 of its scale: the rounding of the
  // value and that of the scale (for scales in f16's normal range).
  DecodeWeight get(const at::Tensor& weight, const at::Tensor& bias);

 private:
  struct Narrow {
    at::Tensor source;  // keeps its address from being used again
    at::Tensor values;  // (O, I) bf16 or int8
    at::Tensor scales;  // (O, groups) f32, of int8
  };
  const Narrow& narrow(const at::Tensor& weight);

  WeightFormat format_;
  HugePageBlocks blocks_;
  std::unordered_map<const void*, Narrow> narrow_;  // by address of the source's first weight
};

// The rows [first, first + count) of a weight.
DecodeWeight weight_rows(const DecodeWeight& weight, int64_t first, int64_t count);

}  // namespace plumb
