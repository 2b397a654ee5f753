// A KV cache on a device, written and attended to by kernels (core/ops/paged_attention_kernel.h).
#pragma once
#include "core/ops/backend.h"

namespace plumb {

// One layer's keys and values: one page a slot.
struct DeviceCache {
  at::Tensor keys;         // (slots, capacity, K, D)
  at::Tensor values;       // the same
  at::Tensor block_table;  // (slots) int32: 0, 1, 2, ...
};

// Where rows go: (N) int64 each, on the device. Rows of slots below 0 go nowhere.
struct DevicePlaces {
  at::Tensor slots;
  at::Tensor positions;
};

// k, v: (N, K, D) views of one tensor, heads dense.
void device_write_cache(const KernelTable& kernels, const DeviceCache& cache, const at::Tensor& k,
                        const at::Tensor& v, const DevicePlaces& places);

struct DeviceQueries {
  at::Tensor q;        // (N, H, D), heads dense
  at::Tensor slots;    // (N) int64
  at::Tensor lengths;  // (N) int64: keys that a query sees, its own the last; 0: the row is 0
  double scale = 1.0;
  double softcap = 0.0;      // 0: none
  int64_t window = 0;        // 0: all keys
  at::Tensor key_bias = {};  // (H, P) f32, P at least the capacity; undefined: none
};
// -> (N, H, D)
at::Tensor device_decode_attention(const KernelTable& kernels, const DeviceCache& cache,
                                   const DeviceQueries& queries);

}  // namespace plumb
