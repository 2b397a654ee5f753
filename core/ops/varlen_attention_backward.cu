#include "core/ops/cuda/attention_tile.cuh"

namespace plumb {
namespace {

constexpr int kDeltaWarps = 8;

// delta = out . grad_out of each query and head; a warp each. Block (32, 8) for a query.
template <class T>
__global__ void __launch_bounds__(kWarpSize* kDeltaWarps) delta_kernel(VarlenBackward op) {
  const int64_t row = blockIdx.x, heads = op.in.heads, head_dim = op.in.head_dim;
  for (int64_t head = threadIdx.y; head < heads; head += kDeltaWarps) {
    const int64_t at = (row * heads + head) * head_dim;
    const T* const out = static_cast<const T*>(op.out) + at;
    const T* const grad = static_cast<const T*>(op.grad_out) + at;
    float sum = 0.0f;
    for (int64_t d = threadIdx.x; d < head_dim; d += kWarpSize) {
      sum += to_float(out[d]) * to_float(grad[d]);
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) {
      op.delta[head * op.in.rows + row] = sum;
    }
  }
}

// What backward saved of a query.
struct QueryNumbers {
  float log_sum_exp, delta;
};
__device__ __forceinline__ QueryNumbers numbers_of(const VarlenBackward& op,
                                                   const AttentionPart& part, int64_t head,
                                                   int query) {
  if (query >= part.queries) {
    return {0.0f, 0.0f};
  }
  const int64_t at = head * op.in.rows + part.query_row + query;
  return {op.log_sum_exp[at], op.delta[at]};
}

// Softmax weight of a (query, key) and the gradient of its dot product.
struct PairGradient {
  float weight, dot;
};
__device__ __forceinline__ PairGradient pair_gradient(const VarlenInputs& in, float dot, float bias,
                                                      float grad_weight, const QueryNumbers& of) {
  const CappedScore capped = capped_score(in, dot);
  const float weight = expf(capped.score + bias - of.log_sum_exp);
  return {weight, weight * (grad_weight - of.delta) * capped.slope * in.scale};
}

// Where tiles of 32 queries and 32 keys lie, each in shared memory.
struct Tiles {
  float *q, *grad, *k, *v;

  __device__ __forceinline__ Tiles(float* memory, int size)
      : q(memory), grad(memory + size), k(memory + 2 * size), v(memory + 3 * size) {}
};

// A block's heads in global memory, at the sequence's first row.
template <class T>
struct HeadPointers {
  const T *q, *grad, *k, *v;

  __device__ __forceinline__ HeadPointers(const VarlenBackward& op, const AttentionPart& part,
                                          int64_t head)
      : q(static_cast<const T*>(op.in.q) + part.query_row * op.in.q_stride + head * op.in.head_dim),
        grad(static_cast<const T*>(op.grad_out) +
             (part.query_row * op.in.heads + head) * op.in.head_dim),
        k(static_cast<const T*>(op.in.k) + part.key_row * op.in.k_stride +
          head / (op.in.heads / op.in.kv_heads) * op.in.head_dim),
        v(static_cast<const T*>(op.in.v) + part.key_row * op.in.v_stride +
          head / (op.in.heads / op.in.kv_heads) * op.in.head_dim) {}
};

// Gradients of the 32 x 32 dot products, to grad_dots; the weights too where `weights` is not null.
__device__ __forceinline__ void put_gradients(const VarlenBackward& op, const AttentionPart& part,
                                              const Tiles& tiles, int64_t head, int2 at,
                                              float* grad_dots, float* weights) {
  const int head_dim = static_cast<int>(op.in.head_dim);
  float dots[2][2], grad_weights[2][2];
  multiply_tiles(tiles.q, tiles.k, head_dim, dots);
  multiply_tiles(tiles.grad, tiles.v, head_dim, grad_weights);
#pragma unroll
  for (int a = 0; a < 2; ++a) {
    const int row = tile_y() + a * kSide;
    const QueryNumbers numbers = numbers_of(op, part, head, at.x + row);
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      const int column = tile_x() + b * kSide;
      PairGradient pair{0.0f, 0.0f};
      if (part.sees(at.x + row, at.y + column)) {
        pair = pair_gradient(op.in, dots[a][b], bias_of(op.in, head, at.y + column),
                             grad_weights[a][b], numbers);
      }
      grad_dots[row * kScoreStride + column] = pair.dot;
      if (weights != nullptr) {
        weights[row * kScoreStride + column] = pair.weight;
      }
    }
  }
}

// Block (32 queries, head, sequence).
template <class T, int kPack, int kChunks>
__global__ void __launch_bounds__(kTileThreads, 1) grad_q_kernel(VarlenBackward op) {
  PLUMB_DYNAMIC_SHARED(float, memory);
  PLUMB_SHARED_ARRAY(float, grad_dots, kTileRows* kScoreStride);
  const VarlenInputs& in = op.in;
  const AttentionPart part(in, blockIdx.z);
  const int query = static_cast<int>(blockIdx.x) * kTileRows;
  if (query >= part.queries) {
    return;  // the whole block
  }
  const int head_dim = static_cast<int>(in.head_dim);
  const int64_t head = blockIdx.y;
  const Tiles tiles(memory, kTileRows * tile_stride(head_dim));
  const HeadPointers<T> from(op, part, head);
  load_tile<T, kPack>(tiles.q, from.q, in.q_stride, query, part.queries, head_dim);
  load_tile<T, kPack>(tiles.grad, from.grad, in.heads * head_dim, query, part.queries, head_dim);
  TileSums<kChunks> grad_q;
  for (int key = part.first_key(query); key < part.end_key(query); key += kTileRows) {
    load_tile<T, kPack>(tiles.k, from.k, in.k_stride, key, part.keys, head_dim);
    load_tile<T, kPack>(tiles.v, from.v, in.v_stride, key, part.keys, head_dim);
    __syncthreads();
    put_gradients(op, part, tiles, head, make_int2(query, key), grad_dots, nullptr);
    __syncthreads();
    grad_q.add(grad_dots, kScoreStride, 1, tiles.k, head_dim);
    __syncthreads();
  }
  T* const to = static_cast<T*>(op.grad_q) + part.query_row * op.grad_q_stride + head * head_dim;
  grad_q.template store<T, kPack>(to, op.grad_q_stride, query, part.queries, head_dim);
}

// Block (32 keys, kv head, sequence): the query heads that share the kv head, in order.
template <class T, int kPack, int kChunks>
__global__ void __launch_bounds__(kTileThreads, 1) grad_kv_kernel(VarlenBackward op) {
  PLUMB_DYNAMIC_SHARED(float, memory);
  PLUMB_SHARED_ARRAY(float, grad_dots, kTileRows* kScoreStride);
  PLUMB_SHARED_ARRAY(float, weights, kTileRows* kScoreStride);
  const VarlenInputs& in = op.in;
  const AttentionPart part(in, blockIdx.z);
  const int key = static_cast<int>(blockIdx.x) * kTileRows;
  if (key >= part.keys) {
    return;  // the whole block
  }
  const int head_dim = static_cast<int>(in.head_dim);
  const int64_t group = in.heads / in.kv_heads, kv_head = blockIdx.y;
  const Tiles tiles(memory, kTileRows * tile_stride(head_dim));
  const HeadPointers<T> shared_by_group(op, part, kv_head * group);
  load_tile<T, kPack>(tiles.k, shared_by_group.k, in.k_stride, key, part.keys, head_dim);
  load_tile<T, kPack>(tiles.v, shared_by_group.v, in.v_stride, key, part.keys, head_dim);
  TileSums<kChunks> grad_k, grad_v;
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const HeadPointers<T> from(op, part, head);
    for (int query = part.first_query(key); query < part.end_query(key); query += kTileRows) {
      load_tile<T, kPack>(tiles.q, from.q, in.q_stride, query, part.queries, head_dim);
      load_tile<T, kPack>(tiles.grad, from.grad, in.heads * head_dim, query, part.queries,
                          head_dim);
      __syncthreads();
      put_gradients(op, part, tiles, head, make_int2(query, key), grad_dots, weights);
      __syncthreads();
      grad_v.add(weights, 1, kScoreStride, tiles.grad, head_dim);
      grad_k.add(grad_dots, 1, kScoreStride, tiles.q, head_dim);
      __syncthreads();
    }
  }
  T* const to_k = static_cast<T*>(op.grad_k) + part.key_row * op.grad_k_stride + kv_head * head_dim;
  T* const to_v = static_cast<T*>(op.grad_v) + part.key_row * op.grad_v_stride + kv_head * head_dim;
  grad_k.template store<T, kPack>(to_k, op.grad_k_stride, key, part.keys, head_dim);
  grad_v.template store<T, kPack>(to_v, op.grad_v_stride, key, part.keys, head_dim);
}

template <class T>
bool is_aligned(const VarlenBackward& op) {
  const VarlenInputs& in = op.in;
  return takes_four<T>(in.q, in.q_stride, in.head_dim) &&
         takes_four<T>(in.k, in.k_stride, in.head_dim) &&
         takes_four<T>(in.v, in.v_stride, in.head_dim) &&
         takes_four<T>(op.grad_out, 0, in.head_dim) &&
         takes_four<T>(op.grad_q, op.grad_q_stride, in.head_dim) &&
         takes_four<T>(op.grad_k, op.grad_k_stride, in.head_dim) &&
         takes_four<T>(op.grad_v, op.grad_v_stride, in.head_dim);
}

LaunchShape tiles_shape(const VarlenInputs& in, int64_t rows, int64_t heads) {
  return {dim3(tiles_of(rows), static_cast<unsigned>(heads), static_cast<unsigned>(in.sequences)),
          dim3(kTileThreads), tile_bytes(in.head_dim, 4)};
}

}  // namespace

void launch_varlen_backward(const VarlenBackward& op, KernelStream stream) {
  const VarlenInputs& in = op.in;
  if (in.sequences == 0 || in.heads == 0) {
    return;
  }
  check_varlen(in);
  with_dtype(in.dtype, [&](auto type) {
    using T = decltype(type);
    if (in.rows > 0) {
      const LaunchShape rows{dim3(static_cast<unsigned>(in.rows)), dim3(kWarpSize, kDeltaWarps), 0};
      PLUMB_LAUNCH(delta_kernel<T>, rows, stream, op);
    }
    with_tile_plan(is_aligned<T>(op), in.head_dim, [&](auto pack, auto chunks) {
      constexpr int kPack = decltype(pack)::value, kChunks = decltype(chunks)::value;
      if (in.max_queries > 0) {
        PLUMB_LAUNCH((grad_q_kernel<T, kPack, kChunks>), tiles_shape(in, in.max_queries, in.heads),
                     stream, op);
      }
      if (in.max_keys > 0) {
        PLUMB_LAUNCH((grad_kv_kernel<T, kPack, kChunks>), tiles_shape(in, in.max_keys, in.kv_heads),
                     stream, op);
      }
    });
  });
}

}  // namespace plumb
