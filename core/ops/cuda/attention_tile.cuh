// Tiles of plain attention kernels: 32 rows of a head in shared memory, in f32, and products of
// them by 16 x 16 threads, of which each has rows y and y + 16.
#pragma once
#include <string>

#include "core/error.h"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/reduce.cuh"
#include "core/ops/varlen_attention_kernel.h"

namespace plumb {

inline constexpr int kTileRows = 32;
inline constexpr int kSide = 16;
inline constexpr int kTileThreads = kSide * kSide;
inline constexpr int kScoreStride = 48;  // keeps the two rows a warp writes on different banks
inline constexpr int kMostAttentionDim = 256;

// Floats from a tile's row to the next: four times an odd number, so that eight rows' packs of four
// lie on different banks.
__host__ __device__ __forceinline__ int tile_stride(int64_t head_dim) {
  return (static_cast<int>((head_dim + 3) / 4) | 1) * 4;
}

__device__ __forceinline__ int tile_x() {
  return threadIdx.x % kSide;
}
__device__ __forceinline__ int tile_y() {
  return threadIdx.x / kSide;
}

// One sequence and head of a block. Positions count within the sequence.
struct AttentionPart {
  int64_t query_row, key_row;  // where they begin
  int queries, keys;
  int shift;  // position of the first query among the keys
  int window;

  __device__ __forceinline__ AttentionPart(const VarlenInputs& in, int64_t sequence)
      : query_row(in.cu_queries[sequence]),
        key_row(in.cu_keys[sequence]),
        queries(static_cast<int>(in.cu_queries[sequence + 1] - query_row)),
        keys(static_cast<int>(in.cu_keys[sequence + 1] - key_row)),
        shift(in.is_causal ? keys - queries : 1 << 30),
        window(in.is_causal && in.window > 0 && in.window < (1 << 30) ? static_cast<int>(in.window)
                                                                      : 1 << 30) {}

  // Not causal: the shift lies beyond all keys, and the window does not bind.
  __device__ __forceinline__ bool sees(int query, int key) const {
    return query < queries && key < keys && key <= query + shift && is_near(query, key);
  }
  __device__ __forceinline__ bool is_near(int query, int key) const {
    return window == 1 << 30 || query + shift - key < window;
  }
  // Keys that any of 32 queries sees, and queries that see any of 32 keys: [begin, end).
  __device__ __forceinline__ int first_key(int query) const {
    const int first = window == 1 << 30 ? 0 : query + shift - window + 1;
    return first > 0 ? first / kTileRows * kTileRows : 0;
  }
  __device__ __forceinline__ int end_key(int query) const {
    const int last = (query + kTileRows < queries ? query + kTileRows : queries) - 1;
    return shift >= keys - last - 1 ? keys : last + shift + 1;
  }
  __device__ __forceinline__ int first_query(int key) const {
    const int first = key - shift;
    return first > 0 ? first / kTileRows * kTileRows : 0;
  }
  __device__ __forceinline__ int end_query(int key) const {
    if (window == 1 << 30) {
      return queries;
    }
    const int end = key + kTileRows - 1 + window - shift;
    return end < queries ? end : queries;
  }
};

// The score of a dot product, and the slope of the cap there.
struct CappedScore {
  float score, slope;
};
__device__ __forceinline__ CappedScore capped_score(const VarlenInputs& in, float dot) {
  const float plain = dot * in.scale;
  if (in.softcap <= 0.0f) {
    return {plain, 1.0f};
  }
  const float bent = tanhf(plain / in.softcap);
  return {in.softcap * bent, 1.0f - bent * bent};
}
__device__ __forceinline__ float bias_of(const VarlenInputs& in, int64_t head, int key) {
  return in.key_bias == nullptr ? 0.0f : in.key_bias[head * in.bias_stride + key];
}

// Rows [first, first + 32) of a head, zeros beyond `rows` and up to the four that hold the head's
// end. `head` points at the head in the sequence's first row.
template <class T, int kPack>
__device__ __forceinline__ void load_tile(float* tile, const T* head, int64_t row_stride, int first,
                                          int rows, int head_dim) {
  const int stride = tile_stride(head_dim), packs = (head_dim + 3) / 4 * (4 / kPack);
  for (int i = threadIdx.x; i < kTileRows * packs; i += kTileThreads) {
    const int row = i / packs, at = i % packs * kPack;
    const bool is_inside = first + row < rows && at < head_dim;
    const Pack<T, kPack> pack = is_inside
                                    ? load_pack<T, kPack>(head + (first + row) * row_stride + at)
                                    : zero_pack<T, kPack>();
    float* const to = tile + row * stride + at;
    if constexpr (kPack == 4) {
      *reinterpret_cast<float4*>(to) =
          make_float4(to_float(pack.values[0]), to_float(pack.values[1]), to_float(pack.values[2]),
                      to_float(pack.values[3]));
    } else {
      static_assert(kPack == 1);
      *to = to_float(pack.values[0]);
    }
  }
}

// dots[a][b] = rows y + 16 a of `left` times rows x + 16 b of `right`.
__device__ __forceinline__ void multiply_tiles(const float* left, const float* right, int head_dim,
                                               float (&dots)[2][2]) {
  const int stride = tile_stride(head_dim);
  dots[0][0] = dots[0][1] = dots[1][0] = dots[1][1] = 0.0f;
#pragma unroll 4
  for (int d = 0; d < head_dim; d += 4) {
    float4 l[2], r[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      l[half] = *reinterpret_cast<const float4*>(left + (tile_y() + half * kSide) * stride + d);
      r[half] = *reinterpret_cast<const float4*>(right + (tile_x() + half * kSide) * stride + d);
    }
#pragma unroll
    for (int a = 0; a < 2; ++a) {
#pragma unroll
      for (int b = 0; b < 2; ++b) {
        dots[a][b] += l[a].x * r[b].x + l[a].y * r[b].y + l[a].z * r[b].z + l[a].w * r[b].w;
      }
    }
  }
}

// A thread's part of 32 rows of a head: rows y and y + 16, dimensions 4 x + 64 c and three more.
template <int kChunks>
struct TileSums {
  float values[2][kChunks][4] = {};

  // += weights times the rows of a tile; weight of (row, j) at weights[row row_step + j step].
  __device__ __forceinline__ void add(const float* weights, int row_step, int step,
                                      const float* tile, int head_dim) {
    const int stride = tile_stride(head_dim);
#pragma unroll 4
    for (int j = 0; j < kTileRows; ++j) {
      const float w[2] = {weights[tile_y() * row_step + j * step],
                          weights[(tile_y() + kSide) * row_step + j * step]};
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        const int at = tile_x() * 4 + c * 4 * kSide;
        if (at < head_dim) {
          const float4 row = *reinterpret_cast<const float4*>(tile + j * stride + at);
#pragma unroll
          for (int a = 0; a < 2; ++a) {
            values[a][c][0] += w[a] * row.x;
            values[a][c][1] += w[a] * row.y;
            values[a][c][2] += w[a] * row.z;
            values[a][c][3] += w[a] * row.w;
          }
        }
      }
    }
  }
  __device__ __forceinline__ void scale(float first, float second) {
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
#pragma unroll
      for (int v = 0; v < 4; ++v) {
        values[0][c][v] *= first;
        values[1][c][v] *= second;
      }
    }
  }
  // To the rows that there are; `head` as in load_tile.
  template <class T, int kPack>
  __device__ __forceinline__ void store(T* head, int64_t row_stride, int first, int rows,
                                        int head_dim) const {
#pragma unroll
    for (int a = 0; a < 2; ++a) {
      const int row = first + tile_y() + a * kSide;
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
#pragma unroll
        for (int v = 0; v < 4; v += kPack) {
          const int at = tile_x() * 4 + c * 4 * kSide + v;
          if (row < rows && at < head_dim) {
            Pack<T, kPack> pack;
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
              pack.values[i] = from_float<T>(values[a][c][v + i]);
            }
            store_pack(head + row * row_stride + at, pack);
          }
        }
      }
    }
  }
};

inline void check_varlen(const VarlenInputs& in) {
  if (in.head_dim < 1 || in.head_dim > kMostAttentionDim) {
    throw Error("attention: heads of " + std::to_string(in.head_dim) +
                " values; the kernel takes 1 to " + std::to_string(kMostAttentionDim));
  }
  if (in.kv_heads < 1 || in.heads % in.kv_heads != 0) {
    throw Error("attention: " + std::to_string(in.heads) + " query heads do not share " +
                std::to_string(in.kv_heads) + " kv heads evenly");
  }
}

// Whether rows may be moved four values at a time.
template <class T>
bool takes_four(const void* array, int64_t row_stride, int64_t head_dim) {
  return reinterpret_cast<uintptr_t>(array) % (4 * sizeof(T)) == 0 && row_stride % 4 == 0 &&
         head_dim % 4 == 0;
}

inline unsigned tiles_of(int64_t rows) {
  return static_cast<unsigned>((rows + kTileRows - 1) / kTileRows);
}
inline size_t tile_bytes(int64_t head_dim, int tiles) {
  return sizeof(float) * static_cast<size_t>(tiles * kTileRows * tile_stride(head_dim));
}

// body(pack, chunks): constants.
template <class Body>
void with_tile_plan(bool is_aligned, int64_t head_dim, const Body& body) {
  const auto with_chunks = [&](auto pack) {
    if (head_dim <= 64) {
      body(pack, Constant<1>{});
    } else if (head_dim <= 128) {
      body(pack, Constant<2>{});
    } else {
      body(pack, Constant<4>{});
    }
  };
  is_aligned ? with_chunks(Constant<4>{}) : with_chunks(Constant<1>{});
}

}  // namespace plumb
