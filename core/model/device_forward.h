// The decoder's forward pass over a KV cache on a device: rows of any mixture of sequences, as
// core/model/decode_forward.h on the CPU. All that varies from step to step lies in device memory
// and nothing waits for the host, so that a step can be recorded and replayed.
//
// The weights decide the type (DeviceWeights::type): all in f32, or all in bf16 with f32 sums,
// where a bf16 model of transformers rounds. With the same number of rows a row's bits do not
// depend on the others; cuBLAS gives other last bits where their number is another.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/model/block_norm.h"
#include "core/model/device_linears.h"
#include "core/ops/paged_attention_device.h"
#include "core/ops/rope.h"

namespace plumb {

// Of N tokens, int64 on the device.
struct DeviceRows {
  at::Tensor tokens;     // (N)
  at::Tensor positions;  // (N)
  at::Tensor slots;      // (N)
  at::Tensor lengths;    // (N): positions + 1

  int64_t size() const { return tokens.size(0); }
};

class DeviceForward {
 public:
  // Keeps references: decoder, weights and adapter (null: none) must outlive it and not change.
  // capacity: positions of a slot. Throws Error (Exit::usage) for a model that decodes on CPUs
  // alone.
  DeviceForward(const Decoder& decoder, DeviceWeights& weights, const Adapter* adapter,
                int64_t num_slots, int64_t capacity);

  // Writes the tokens' keys and values; returns their logits (N, V).
  at::Tensor run(const DeviceRows& rows);
  // The same without what only the logits need: for prompts.
  void fill(const DeviceRows& rows);

  // The first `positions` of one slot into another, in every layer.
  void copy(int64_t from_slot, int64_t to_slot, int64_t positions);

 private:
  struct Layer {
    NormWeights attention_norm, q_norm, k_norm, after_attention_norm, mlp_norm, after_mlp_norm;
    DeviceLinear qkv, o, gate_up, down;
    DeviceCache cache;
    int64_t window = 0;
  };

  void add_layer(int64_t index, DeviceWeights& weights, const Adapter* adapter);
  DeviceCache make_cache(int64_t num_slots, int64_t capacity) const;
  NormWeights factors_of(const NormWeights& weights) const;
  at::Tensor normed(const at::Tensor& x, const NormWeights& factors) const;
  at::Tensor embed(const DeviceRows& rows) const;
  at::Tensor keys_written(Layer& layer, const at::Tensor& x, const DeviceRows& rows);
  at::Tensor attend(const Layer& layer, const at::Tensor& qkv, const DeviceRows& rows) const;
  at::Tensor layer_output(Layer& layer, const at::Tensor& x, const DeviceRows& rows);

  const Decoder& decoder_;
  at::TensorOptions options_;  // type and device
  std::vector<Layer> layers_;
  NormWeights final_norm_;
  const DeviceWeight* head_;
  RotaryTable rotary_;   // undefined where q and k are not turned
  at::Tensor key_bias_;  // (H, capacity) of ALiBi
};

}  // namespace plumb
