// Keys and values of the sequences being decoded: a contiguous place ("slot") for each, in every
// layer. A slot is handed to the next sequence as it is: what lies there is overwritten before it
// is read.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/ops/decode_attention.h"

namespace plumb {

struct KvShape {
  int64_t num_layers = 0;    // L
  int64_t num_kv_heads = 0;  // K
  int64_t head_dim = 0;      // D
  int64_t num_slots = 0;
};

class KvCache {
 public:
  explicit KvCache(const KvShape& shape);

  // Makes room for this many positions in every slot and keeps what is there. Doubles, so that a
  // long completion costs few copies and a short one no memory.
  void reserve(int64_t positions);

  DecodeCache layer(int64_t index) const;

  // The first `positions` of one slot into another, in every layer.
  void copy(int64_t from_slot, int64_t to_slot, int64_t positions);

 private:
  KvShape shape_;
  int64_t value_width_;
  int64_t capacity_ = 0;            // positions a slot holds, a multiple of kKeyBlock
  std::vector<at::Tensor> keys_;    // (L) of (slots, K, capacity / kKeyBlock, D, kKeyBlock) f32
  std::vector<at::Tensor> values_;  // (L) of (slots, K, capacity, value_width) f32
};

}  // namespace plumb
