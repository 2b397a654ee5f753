#include "core/ops/cuda/attention_tile.cuh"

namespace plumb {
namespace {

constexpr float kNoPeak = -3.402823466e38f;

// What the online softmax (Milakov & Gimelshein 2018) knows of 32 rows.
struct SoftmaxRows {
  float peak[kTileRows];
  float sum[kTileRows];
  float shrink[kTileRows];  // by which sums so far are multiplied
};

// Scores become e^(score - peak). Eight lanes a row; -infinity marks what a query does not see.
__device__ __forceinline__ void soften(float* scores, SoftmaxRows& rows) {
  const int row = threadIdx.x / 8, part = threadIdx.x % 8;
  float4& place = *reinterpret_cast<float4*>(scores + row * kScoreStride + part * 4);
  float4 s = place;
  const float old = rows.peak[row];
  float peak = fmaxf(fmaxf(s.x, s.y), fmaxf(s.z, s.w));
#pragma unroll
  for (int distance = 4; distance > 0; distance /= 2) {
    peak = fmaxf(peak, __shfl_xor_sync(kAllLanes, peak, distance));
  }
  peak = fmaxf(peak, old);
  s = make_float4(expf(s.x - peak), expf(s.y - peak), expf(s.z - peak), expf(s.w - peak));
  place = s;
  float sum = (s.x + s.y) + (s.z + s.w);
#pragma unroll
  for (int distance = 4; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(kAllLanes, sum, distance);
  }
  __syncwarp();  // all lanes of the row have read the old peak
  if (part == 0) {
    const float shrink = expf(old - peak);
    rows.peak[row] = peak;
    rows.sum[row] = rows.sum[row] * shrink + sum;
    rows.shrink[row] = shrink;
  }
}

// Scores of 32 queries by 32 keys, from tiles of q and k.
__device__ __forceinline__ void put_scores(const VarlenInputs& in, const AttentionPart& part,
                                           const float* q, const float* k, int query, int key,
                                           float* scores) {
  float dots[2][2];
  multiply_tiles(q, k, static_cast<int>(in.head_dim), dots);
#pragma unroll
  for (int a = 0; a < 2; ++a) {
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      const int row = tile_y() + a * kSide, column = tile_x() + b * kSide;
      float score = -INFINITY;
      if (part.sees(query + row, key + column)) {
        score = capped_score(in, dots[a][b]).score + bias_of(in, blockIdx.y, key + column);
      }
      scores[row * kScoreStride + column] = score;
    }
  }
}

// Block (32 queries, head, sequence).
template <class T, int kPack, int kChunks>
__global__ void __launch_bounds__(kTileThreads) varlen_forward_kernel(VarlenForward op) {
  PLUMB_DYNAMIC_SHARED(float, tiles);
  PLUMB_SHARED_ARRAY(float, scores, kTileRows* kScoreStride);
  PLUMB_SHARED_ARRAY(SoftmaxRows, softmax, 1);
  const VarlenInputs& in = op.in;
  const AttentionPart part(in, blockIdx.z);
  const int query = static_cast<int>(blockIdx.x) * kTileRows;
  if (query >= part.queries) {
    return;  // the whole block
  }
  const int head_dim = static_cast<int>(in.head_dim), tile = kTileRows * tile_stride(head_dim);
  const int64_t head = blockIdx.y, kv_head = head / (in.heads / in.kv_heads);
  const T* const q = static_cast<const T*>(in.q) + part.query_row * in.q_stride + head * head_dim;
  const T* const k = static_cast<const T*>(in.k) + part.key_row * in.k_stride + kv_head * head_dim;
  const T* const v = static_cast<const T*>(in.v) + part.key_row * in.v_stride + kv_head * head_dim;
  float* const tile_k = tiles + tile;
  float* const tile_v = tiles + 2 * tile;
  load_tile<T, kPack>(tiles, q, in.q_stride, query, part.queries, head_dim);
  if (threadIdx.x < kTileRows) {
    softmax[0].peak[threadIdx.x] = kNoPeak;
    softmax[0].sum[threadIdx.x] = 0.0f;
  }
  TileSums<kChunks> out;
  for (int key = part.first_key(query); key < part.end_key(query); key += kTileRows) {
    load_tile<T, kPack>(tile_k, k, in.k_stride, key, part.keys, head_dim);
    load_tile<T, kPack>(tile_v, v, in.v_stride, key, part.keys, head_dim);
    __syncthreads();
    put_scores(in, part, tiles, tile_k, query, key, scores);
    __syncthreads();
    soften(scores, softmax[0]);
    __syncthreads();
    out.scale(softmax[0].shrink[tile_y()], softmax[0].shrink[tile_y() + kSide]);
    out.add(scores, kScoreStride, 1, tile_v, head_dim);
    __syncthreads();
  }
  __syncthreads();  // where no key was seen, the sums are still to be shared
  const float sums[2] = {softmax[0].sum[tile_y()], softmax[0].sum[tile_y() + kSide]};
  out.scale(sums[0] > 0.0f ? 1.0f / sums[0] : 0.0f, sums[1] > 0.0f ? 1.0f / sums[1] : 0.0f);
  T* const to = static_cast<T*>(op.out) + (part.query_row * in.heads + head) * head_dim;
  out.template store<T, kPack>(to, in.heads * head_dim, query, part.queries, head_dim);
  if (threadIdx.x < kTileRows && query + static_cast<int>(threadIdx.x) < part.queries) {
    op.log_sum_exp[head * in.rows + part.query_row + query + threadIdx.x] =
        softmax[0].peak[threadIdx.x] + logf(softmax[0].sum[threadIdx.x]);
  }
}

}  // namespace

void launch_varlen_forward(const VarlenForward& op, KernelStream stream) {
  const VarlenInputs& in = op.in;
  if (in.sequences == 0 || in.max_queries == 0 || in.heads == 0) {
    return;
  }
  check_varlen(in);
  const LaunchShape shape{dim3(tiles_of(in.max_queries), static_cast<unsigned>(in.heads),
                               static_cast<unsigned>(in.sequences)),
                          dim3(kTileThreads), tile_bytes(in.head_dim, 3)};
  with_dtype(in.dtype, [&](auto type) {
    using T = decltype(type);
    const bool is_aligned = takes_four<T>(in.q, in.q_stride, in.head_dim) &&
                            takes_four<T>(in.k, in.k_stride, in.head_dim) &&
                            takes_four<T>(in.v, in.v_stride, in.head_dim) &&
                            takes_four<T>(op.out, 0, in.head_dim);
    with_tile_plan(is_aligned, in.head_dim, [&](auto pack, auto chunks) {
      PLUMB_LAUNCH((varlen_forward_kernel<T, decltype(pack)::value, decltype(chunks)::value>),
                   shape, stream, op);
    });
  });
}

}  // namespace plumb
