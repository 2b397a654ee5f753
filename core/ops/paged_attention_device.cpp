#include "core/ops/paged_attention_device.h"

namespace plumb {
namespace {

PagedCache paged(const DeviceCache& cache) {
  return {.keys = cache.keys.mutable_data_ptr(),
          .values = cache.values.mutable_data_ptr(),
          .block_table = cache.block_table.const_data_ptr<int32_t>(),
          .max_pages = 1,
          .page_size = cache.keys.size(1),
          .kv_heads = cache.keys.size(2),
          .head_dim = cache.keys.size(3),
          .dtype = kernel_dtype(cache.keys)};
}

void check_rows(const at::Tensor& x, const DeviceCache& cache) {
  TORCH_INTERNAL_ASSERT(x.dim() == 3 && x.stride(2) == 1 && x.size(2) == cache.keys.size(3) &&
                        (x.size(1) <= 1 || x.stride(1) == x.size(2)) &&
                        x.scalar_type() == cache.keys.scalar_type());
}

}  // namespace

void device_write_cache(const KernelTable& kernels, const DeviceCache& cache, const at::Tensor& k,
                        const at::Tensor& v, const DevicePlaces& places) {
  check_rows(k, cache);
  check_rows(v, cache);
  TORCH_INTERNAL_ASSERT(k.stride(0) == v.stride(0) && k.size(1) == cache.keys.size(2));
  kernels.cache_write({.cache = paged(cache),
                       .k = k.const_data_ptr(),
                       .v = v.const_data_ptr(),
                       .slots = places.slots.const_data_ptr<int64_t>(),
                       .positions = places.positions.const_data_ptr<int64_t>(),
                       .tokens = k.size(0),
                       .row_stride = k.stride(0)},
                      stream_of(k));
}

at::Tensor device_decode_attention(const KernelTable& kernels, const DeviceCache& cache,
                                   const DeviceQueries& queries) {
  const at::Tensor& q = queries.q;
  check_rows(q, cache);
  const int64_t rows = q.size(0), heads = q.size(1), dim = q.size(2), most = cache.keys.size(1);
  const at::Tensor out = at::empty({rows, heads, dim}, q.options());
  const at::Tensor partial =
      at::empty({decode_attention_scratch(rows, heads, dim, most)}, q.options().dtype(at::kFloat));
  const bool biased = queries.key_bias.defined();
  kernels.decode_attention({.cache = paged(cache),
                            .out = out.mutable_data_ptr(),
                            .q = q.const_data_ptr(),
                            .slots = queries.slots.const_data_ptr<int64_t>(),
                            .lengths = queries.lengths.const_data_ptr<int64_t>(),
                            .key_bias = biased ? queries.key_bias.const_data_ptr<float>() : nullptr,
                            .partial = partial.mutable_data_ptr<float>(),
                            .queries = rows,
                            .heads = heads,
                            .q_stride = q.stride(0),
                            .bias_stride = biased ? queries.key_bias.stride(0) : 0,
                            .max_length = most,
                            .scale = static_cast<float>(queries.scale),
                            .softcap = static_cast<float>(queries.softcap),
                            .window = queries.window},
                           stream_of(q));
  return out;
}

}  // namespace plumb
