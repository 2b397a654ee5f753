#include "core/ops/paged_attention_kernel.h"

#include "core/error.h"
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/reduce.cuh"

namespace plumb {
namespace {

// Where position `position` of a slot begins in keys and in values.
__device__ __forceinline__ int64_t cache_place(const PagedCache& cache, int64_t slot,
                                               int64_t position, int64_t head) {
  const auto at = static_cast<uint32_t>(position);  // 64-bit division is a call
  const auto size = static_cast<uint32_t>(cache.page_size);
  const int64_t page = cache.block_table[slot * cache.max_pages + at / size];
  return ((page * size + at % size) * cache.kv_heads + head) * cache.head_dim;
}

constexpr int kWriteThreads = 128;

// A block writes one token.
template <class T, int kPack>
__global__ void __launch_bounds__(kWriteThreads) cache_write_kernel(CacheWrite write) {
  const int64_t token = blockIdx.x;
  if (write.slots[token] < 0) {
    return;  // the whole block
  }
  const int64_t to = cache_place(write.cache, write.slots[token], write.positions[token], 0);
  const int64_t from = token * write.row_stride;
  const int width = static_cast<int>(write.cache.kv_heads * write.cache.head_dim);
  for (int at = threadIdx.x * kPack; at < width; at += kWriteThreads * kPack) {
    store_pack(static_cast<T*>(write.cache.keys) + to + at,
               load_pack<T, kPack>(static_cast<const T*>(write.k) + from + at));
    store_pack(static_cast<T*>(write.cache.values) + to + at,
               load_pack<T, kPack>(static_cast<const T*>(write.v) + from + at));
  }
}

// A team of 8 lanes takes a key: lane l holds packs l, l + 8, ... of a head.
constexpr int kTeam = 8;
constexpr int kDecodeThreads = 128;
constexpr int kTeams = kDecodeThreads / kTeam;
constexpr float kNoScore = -3.402823466e38f;

__device__ __forceinline__ float team_sum(float value) {
#pragma unroll
  for (int distance = kTeam / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, distance);
  }
  return value;
}

// A lane's share of one head's vector.
template <class T, int kChunks>
struct HeadPart {
  static constexpr int kPack = kVectorOf<T>;
  float values[kChunks * kPack];

  __device__ __forceinline__ void load(const T* head, int head_dim, bool is_there) {
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      const int at = (c * kTeam + static_cast<int>(threadIdx.x) % kTeam) * kPack;
      const Pack<T, kPack> pack =
          is_there && at < head_dim ? load_pack<T, kPack>(head + at) : zero_pack<T, kPack>();
#pragma unroll
      for (int v = 0; v < kPack; ++v) {
        values[c * kPack + v] = to_float(pack.values[v]);
      }
    }
  }
};

// What a team knows of one query head: running maximum, sum and weighted sum of values.
template <class T, int kChunks>
struct HeadState {
  HeadPart<T, kChunks> q, sum;
  float peak, weight;

  __device__ __forceinline__ void start(const T* query, int head_dim, float scale, bool is_there) {
    q.load(query, head_dim, is_there);
#pragma unroll
    for (int i = 0; i < kChunks * HeadPart<T, kChunks>::kPack; ++i) {
      q.values[i] *= scale;
      sum.values[i] = 0.0f;
    }
    peak = kNoScore;
    weight = 0.0f;
  }
  __device__ __forceinline__ float score(const HeadPart<T, kChunks>& key) const {
    float dot = 0.0f;
#pragma unroll
    for (int i = 0; i < kChunks * HeadPart<T, kChunks>::kPack; ++i) {
      dot += q.values[i] * key.values[i];
    }
    return team_sum(dot);
  }
  __device__ __forceinline__ void add(float score, const HeadPart<T, kChunks>& value) {
    const float raised = fmaxf(peak, score);
    const float shrink = expf(peak - raised), e = expf(score - raised);
    weight = weight * shrink + e;
#pragma unroll
    for (int i = 0; i < kChunks * HeadPart<T, kChunks>::kPack; ++i) {
      sum.values[i] = sum.values[i] * shrink + e * value.values[i];
    }
    peak = raised;
  }
};

struct KeyRange {
  int64_t begin, end;
};

__device__ __forceinline__ KeyRange keys_of(const DecodeAttention& op, int64_t length) {
  return {op.window > 0 && length > op.window ? length - op.window : 0, length};
}

// Places in the scratch of a (query, head): splits vectors, then splits pairs (peak, weight).
struct Partial {
  float* vectors;
  float* peaks;
  float* weights;
};
__device__ __forceinline__ Partial partial_of(const DecodeAttention& op, int64_t query,
                                              int64_t head, int64_t splits) {
  float* const base = op.partial + (query * op.heads + head) * splits * (op.cache.head_dim + 2);
  float* const peaks = base + splits * op.cache.head_dim;
  return {base, peaks, peaks + splits};
}

// All teams' sums of `kGroup` heads, in shared memory, merged in the order of teams.
template <int kGroup, int kWidth>
struct TeamSums {
  float (&vectors)[kTeams * kGroup * kWidth];
  float (&peaks)[kTeams * kGroup];
  float (&weights)[kTeams * kGroup];

  // Where dimension d lies in a team's floats. Swapping neighbouring fours in every other row of
  // banks keeps both the lanes' packs and runs of dimensions off each other's banks.
  static __device__ __forceinline__ int place(int d) {
    return ((d / 4) ^ (d / 32 % 2)) * 4 + d % 4;
  }
  template <class T, int kChunks>
  __device__ __forceinline__ void put(int team, int g, const HeadState<T, kChunks>& state) {
    constexpr int kPack = kVectorOf<T>;
    const int lane = threadIdx.x % kTeam;
    float* const to = vectors + (team * kGroup + g) * kWidth;
#pragma unroll
    for (int i = 0; i < kChunks * kPack; i += 4) {
      const float* const from = state.sum.values + i;
      *reinterpret_cast<float4*>(to + place((i / kPack * kTeam + lane) * kPack + i % kPack)) =
          make_float4(from[0], from[1], from[2], from[3]);
    }
    if (lane == 0) {
      peaks[team * kGroup + g] = state.peak;
      weights[team * kGroup + g] = state.weight;
    }
  }
  __device__ __forceinline__ float peak(int g) const {
    float most = kNoScore;
    for (int team = 0; team < kTeams; ++team) {
      most = fmaxf(most, peaks[team * kGroup + g]);
    }
    return most;
  }
  __device__ __forceinline__ float factor(int team, int g, float most) const {
    return expf(peaks[team * kGroup + g] - most);
  }
};

// Head g of the teams' sums, merged, becomes one split of the scratch.
template <int kGroup, int kWidth>
__device__ __forceinline__ void store_split(const TeamSums<kGroup, kWidth>& sums, int g,
                                            const Partial& partial, int64_t split, int head_dim) {
  const float most = sums.peak(g);
  for (int d = threadIdx.x; d < head_dim; d += kDecodeThreads) {
    const int from = sums.place(d);
    float total = 0.0f;
    for (int t = 0; t < kTeams; ++t) {
      total += sums.vectors[(t * kGroup + g) * kWidth + from] * sums.factor(t, g, most);
    }
    partial.vectors[split * head_dim + d] = total;
  }
  if (threadIdx.x == 0) {
    float total = 0.0f;
    for (int t = 0; t < kTeams; ++t) {
      total += sums.weights[t * kGroup + g] * sums.factor(t, g, most);
    }
    partial.peaks[split] = most;
    partial.weights[split] = total;
  }
}

// The score of a dot product: capped, then with ALiBi's bias of the head.
__device__ __forceinline__ float biased(const DecodeAttention& op, float score, int64_t head,
                                        int64_t position) {
  if (op.softcap > 0.0f) {
    score = op.softcap * tanhf(score / op.softcap);
  }
  return op.key_bias == nullptr ? score : score + op.key_bias[head * op.bias_stride + position];
}

// Block (split, kv head and tile of its group, query): kGroup query heads that share a kv head over
// the keys of one split.
template <class T, int kChunks, int kGroup>
__global__ void __launch_bounds__(kDecodeThreads, 2) decode_split_kernel(DecodeAttention op) {
  constexpr int kWidth = kChunks * kTeam * kVectorOf<T>;
  PLUMB_SHARED_ARRAY(float4, vectors, kTeams * kGroup * kWidth / 4);
  PLUMB_SHARED_ARRAY(float, peaks, kTeams* kGroup);
  PLUMB_SHARED_ARRAY(float, weights, kTeams* kGroup);
  const int64_t query = blockIdx.z, split = blockIdx.x, splits = gridDim.x;
  const int64_t length = op.lengths[query];
  const KeyRange range = keys_of(op, length);
  const int64_t first = split * kDecodeSplit, last = first + kDecodeSplit;
  if (last <= range.begin || first >= range.end) {
    return;  // the whole block
  }
  const int64_t group = op.heads / op.cache.kv_heads, tiles = (group + kGroup - 1) / kGroup;
  const int64_t kv_head = blockIdx.y / tiles, first_head = blockIdx.y % tiles * kGroup;
  const int head_dim = static_cast<int>(op.cache.head_dim);
  HeadState<T, kChunks> states[kGroup];
#pragma unroll
  for (int g = 0; g < kGroup; ++g) {
    const int64_t head = kv_head * group + first_head + g;
    states[g].start(static_cast<const T*>(op.q) + query * op.q_stride + head * head_dim, head_dim,
                    op.scale, first_head + g < group);
  }
  const int team = threadIdx.x / kTeam;
  for (int64_t base = first; base < last && base < range.end; base += kTeams) {
    const int64_t position = base + team;  // all teams of a warp walk on together: they shuffle
    const bool is_there = position >= range.begin && position < range.end;
    const int64_t place = is_there ? cache_place(op.cache, op.slots[query], position, kv_head) : 0;
    HeadPart<T, kChunks> key, value;
    key.load(static_cast<const T*>(op.cache.keys) + place, head_dim, is_there);
    value.load(static_cast<const T*>(op.cache.values) + place, head_dim, is_there);
#pragma unroll
    for (int g = 0; g < kGroup; ++g) {
      const float dot = states[g].score(key);
      if (is_there && first_head + g < group) {
        const int64_t head = kv_head * group + first_head + g;
        states[g].add(biased(op, dot, head, position), value);
      }
    }
  }
  TeamSums<kGroup, kWidth> sums{*reinterpret_cast<float(*)[kTeams * kGroup * kWidth]>(vectors),
                                peaks, weights};
#pragma unroll
  for (int g = 0; g < kGroup; ++g) {
    sums.put(team, g, states[g]);
  }
  __syncthreads();
  for (int g = 0; g < kGroup && first_head + g < group; ++g) {
    const int64_t head = kv_head * group + first_head + g;
    store_split<kGroup, kWidth>(sums, g, partial_of(op, query, head, splits), split, head_dim);
  }
}

// Block (head, query): merges the splits in order.
template <class T>
__global__ void __launch_bounds__(kDecodeThreads)
    decode_merge_kernel(DecodeAttention op, int64_t splits) {
  const int64_t head = blockIdx.x, query = blockIdx.y;
  T* const out = static_cast<T*>(op.out) + (query * op.heads + head) * op.cache.head_dim;
  const KeyRange range = keys_of(op, op.lengths[query]);
  if (range.end == 0) {
    for (int64_t d = threadIdx.x; d < op.cache.head_dim; d += kDecodeThreads) {
      out[d] = from_float<T>(0.0f);
    }
    return;  // the whole block
  }
  const int64_t first = range.begin / kDecodeSplit, last = (range.end - 1) / kDecodeSplit;
  const Partial partial = partial_of(op, query, head, splits);
  float most = kNoScore, weight = 0.0f;
  for (int64_t split = first; split <= last; ++split) {
    most = fmaxf(most, partial.peaks[split]);
  }
  for (int64_t split = first; split <= last; ++split) {
    weight += partial.weights[split] * expf(partial.peaks[split] - most);
  }
  for (int64_t d = threadIdx.x; d < op.cache.head_dim; d += kDecodeThreads) {
    float total = 0.0f;
    for (int64_t split = first; split <= last; ++split) {
      total += partial.vectors[split * op.cache.head_dim + d] * expf(partial.peaks[split] - most);
    }
    out[d] = from_float<T>(total / weight);
  }
}

template <class T, int kChunks, int kGroup>
void attend(const DecodeAttention& op, KernelStream stream) {
  const int64_t splits = (op.max_length + kDecodeSplit - 1) / kDecodeSplit;
  const int64_t group = op.heads / op.cache.kv_heads;
  const int64_t tiles = (group + kGroup - 1) / kGroup;
  const LaunchShape shape{
      dim3(static_cast<unsigned>(splits), static_cast<unsigned>(op.cache.kv_heads * tiles),
           static_cast<unsigned>(op.queries)),
      dim3(kDecodeThreads), 0};
  PLUMB_LAUNCH((decode_split_kernel<T, kChunks, kGroup>), shape, stream, op);
  const LaunchShape merge{dim3(static_cast<unsigned>(op.heads), static_cast<unsigned>(op.queries)),
                          dim3(kDecodeThreads), 0};
  PLUMB_LAUNCH(decode_merge_kernel<T>, merge, stream, op, splits);
}

// A thread holds q and sums of its group: at most 64 values of each.
template <class T, int kChunks>
void attend_group(const DecodeAttention& op, KernelStream stream) {
  constexpr int kMostGroup = 64 / (kChunks * kVectorOf<T>);
  const int64_t group = op.heads / op.cache.kv_heads;
  if (group == 1) {
    attend<T, kChunks, 1>(op, stream);
  } else if (group == 2 || kMostGroup == 2) {
    attend<T, kChunks, 2>(op, stream);
  } else {
    attend<T, kChunks, (kMostGroup < 4 ? kMostGroup : 4)>(op, stream);
  }
}

void check_decode(const DecodeAttention& op) {
  const int64_t pack = op.cache.dtype == KernelDtype::bf16 ? 8 : 4;
  const bool is_whole = op.cache.head_dim % pack == 0 && op.q_stride % pack == 0 &&
                        is_vectorizable<float>(op.q, 0) && is_vectorizable<float>(op.cache.keys, 0);
  if (op.cache.head_dim < 1 || op.cache.head_dim > 256 || !is_whole) {
    throw Error(
        "decode attention: heads of " + std::to_string(op.cache.head_dim) +
        " values; the kernel takes 16-byte multiples up to 256 values, aligned to 16 bytes");
  }
  if (op.heads % op.cache.kv_heads != 0) {
    throw Error("decode attention: " + std::to_string(op.heads) + " query heads do not share " +
                std::to_string(op.cache.kv_heads) + " kv heads evenly");
  }
}

}  // namespace

void launch_cache_write(const CacheWrite& write, KernelStream stream) {
  if (write.tokens == 0) {
    return;
  }
  const LaunchShape shape{dim3(static_cast<unsigned>(write.tokens)), dim3(kWriteThreads), 0};
  with_dtype(write.cache.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t width = write.cache.kv_heads * write.cache.head_dim;
    const bool is_aligned = is_vectorizable<T>(write.k, width) &&
                            is_vectorizable<T>(write.v, write.row_stride) &&
                            is_vectorizable<T>(write.cache.keys, width) &&
                            is_vectorizable<T>(write.cache.values, width);
    if (is_aligned) {
      PLUMB_LAUNCH((cache_write_kernel<T, kVectorOf<T>>), shape, stream, write);
    } else {
      PLUMB_LAUNCH((cache_write_kernel<T, 1>), shape, stream, write);
    }
  });
}

void launch_decode_attention(const DecodeAttention& op, KernelStream stream) {
  if (op.queries == 0) {
    return;
  }
  check_decode(op);
  with_dtype(op.cache.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t lane_values = (op.cache.head_dim + kTeam - 1) / kTeam;
    if (lane_values <= kVectorOf<T>) {
      attend_group<T, 1>(op, stream);
    } else if (lane_values <= 2 * kVectorOf<T>) {
      attend_group<T, 2>(op, stream);
    } else if (lane_values <= 4 * kVectorOf<T>) {
      attend_group<T, 4>(op, stream);
    } else {
      attend_group<T, sizeof(T) == 4 ? 8 : 4>(op, stream);
    }
  });
}

}  // namespace plumb
