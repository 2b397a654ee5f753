#include "core/model/kv_cache.h"

#include <algorithm>

namespace plumb {
namespace {

int64_t rounded_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// `old`, longer in dimension 2.
at::Tensor grown(const at::Tensor& old, int64_t length) {
  std::vector<int64_t> shape = old.sizes().vec();
  shape[2] = length;
  at::Tensor larger = at::empty(shape, old.options());
  larger.narrow(2, 0, old.size(2)).copy_(old);
  return larger;
}

}  // namespace

KvCache::KvCache(const KvShape& shape)
    : shape_(shape), value_width_(rounded_up(shape.head_dim, kValueAlign)) {
  const at::TensorOptions f32 = at::TensorOptions().dtype(at::kFloat);
  for (int64_t i = 0; i < shape.num_layers; ++i) {
    keys_.push_back(
        at::empty({shape.num_slots, shape.num_kv_heads, 0, shape.head_dim, kKeyBlock}, f32));
    values_.push_back(at::empty({shape.num_slots, shape.num_kv_heads, 0, value_width_}, f32));
  }
}

void KvCache::reserve(int64_t positions) {
  if (positions <= capacity_) {
    return;
  }
  capacity_ = rounded_up(std::max(positions, 2 * capacity_), kKeyBlock);
  for (int64_t i = 0; i < shape_.num_layers; ++i) {
    keys_[i] = grown(keys_[i], capacity_ / kKeyBlock);
    values_[i] = grown(values_[i], capacity_);
  }
}

DecodeCache KvCache::layer(int64_t index) const {
  return {.keys = keys_[index].mutable_data_ptr<float>(),
          .values = values_[index].mutable_data_ptr<float>(),
          .num_kv_heads = shape_.num_kv_heads,
          .head_dim = shape_.head_dim,
          .value_width = value_width_,
          .capacity = capacity_};
}

void KvCache::copy(int64_t from_slot, int64_t to_slot, int64_t positions) {
  for (int64_t i = 0; i < shape_.num_layers; ++i) {
    copy_in_cache(layer(i), from_slot, to_slot, positions);
  }
}

}  // namespace plumb
