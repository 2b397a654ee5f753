#include "core/ops/cuda/device.cuh"
#include "tests/simt/self/defects.h"

namespace plumb::simt {
namespace {

constexpr int kThreads = 64;

__global__ void shared_write_read_broken(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = threadIdx.x;                         // <write_read.write>
  out[threadIdx.x] = values[(threadIdx.x + 33) % kThreads];  // <write_read.read>
}

__global__ void shared_write_read_sound(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = values[(threadIdx.x + 33) % kThreads];
}

__global__ void shared_write_write_broken(int* out) {
  PLUMB_SHARED_ARRAY(int, last, 1);
  last[0] = threadIdx.x;  // <write_write>
  __syncthreads();
  out[threadIdx.x] = last[0] >= 0;
}

__global__ void shared_write_write_sound(int* out) {
  PLUMB_SHARED_ARRAY(int, last, 1);
  if (threadIdx.x == 0) {
    last[0] = threadIdx.x;
  }
  __syncthreads();
  out[threadIdx.x] = last[0] >= 0;
}

__device__ void turn(float* values, float* out) {
  const float next = values[(threadIdx.x + 1) % kThreads];
  out[threadIdx.x] = next;
}

__global__ void read_then_write_broken(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const float next = values[(threadIdx.x + 1) % kThreads];  // <read_write.read>
  values[threadIdx.x] = next;                               // <read_write.write>
  __syncthreads();
  turn(values, out);
}

__global__ void read_then_write_sound(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const float next = values[(threadIdx.x + 1) % kThreads];
  __syncthreads();
  values[threadIdx.x] = next;
  __syncthreads();
  turn(values, out);
}

__global__ void global_in_block_broken(int* out) {
  out[threadIdx.x] = threadIdx.x;           // <global.write>
  const int other = out[63 - threadIdx.x];  // <global.read>
  __syncthreads();
  out[threadIdx.x] = other;
}

__global__ void global_in_block_sound(int* out) {
  out[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const int other = out[63 - threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = other;
}

// A shuffle is no fence: only __syncwarp orders memory.
__global__ void warp_exchange_broken(int* out) {
  PLUMB_SHARED_ARRAY(int, values, kThreads);
  values[threadIdx.x] = threadIdx.x;  // <exchange.write>
  __shfl_xor_sync(0xFFFFFFFFu, 1, 1);
  out[threadIdx.x] = values[threadIdx.x ^ 1];  // <exchange.read>
}

__global__ void warp_exchange_sound(int* out) {
  PLUMB_SHARED_ARRAY(int, values, kThreads);
  values[threadIdx.x] = threadIdx.x;
  __syncwarp();
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}

template <bool kBroken>
__global__ void partial_sync(int* out) {
  PLUMB_SHARED_ARRAY(int, values, kThreads);
  values[threadIdx.x] = threadIdx.x;  // <partial.write>
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000FFFFu : 0xFFFF0000u;
  __syncwarp(kBroken ? half : 0xFFFFFFFFu);
  out[threadIdx.x] = values[threadIdx.x ^ 16];  // <partial.read>
}

// As before, but both halves have written when either reads: only their clocks tell.
template <bool kBroken>
__global__ void partial_sync_late(int* out) {
  PLUMB_SHARED_ARRAY(int, values, kThreads);
  values[threadIdx.x] = threadIdx.x;  // <late.write>
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000FFFFu : 0xFFFF0000u;
  __syncwarp(kBroken ? half : 0xFFFFFFFFu);
  const int zero = __shfl_xor_sync(0xFFFFFFFFu, 0, 1);
  out[threadIdx.x] = zero + values[threadIdx.x ^ 16];  // <late.read>
}

__global__ void between_blocks_broken(int* out) {
  out[threadIdx.x] = threadIdx.x;  // <blocks>
}

__global__ void between_blocks_sound(int* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;
}

__global__ void read_of_other_block_broken(int* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = 1;  // <other_block.write>
  __syncthreads();
  if (blockIdx.x == 1) {
    out[blockDim.x + threadIdx.x] += out[threadIdx.x];  // <other_block.read>
  }
}

__global__ void read_of_other_block_first(int* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = 1;
}
__global__ void read_of_other_block_second(int* out) {
  out[blockDim.x + threadIdx.x] += out[threadIdx.x];
}

template <bool kBroken>
__global__ void atomic_and_plain_kernel(int* out) {
  PLUMB_SHARED_ARRAY(int, count, 1);
  if (threadIdx.x == 0) {
    count[0] = 0;
  }
  __syncthreads();
  atomicAdd(&count[0], 1);  // <atomic.update>
  if (!kBroken) {
    __syncthreads();
  }
  out[threadIdx.x] = count[0] > 0;  // <atomic.read>
}

__global__ void float_atomics_broken(float* out) {
  atomicAdd(out, 1.0f / (1 + threadIdx.x));
}

__global__ void float_atomics_sound(float* out) {
  if (threadIdx.x == 0) {
    float sum = 0;
    for (int i = 0; i < kThreads; ++i) {
      sum += 1.0f / (1 + i);
    }
    out[0] = sum;
  }
}

// The sum has the same bits in every order, and still it is no kernel to call deterministic.
__global__ void exact_float_atomics_broken(float* out) {
  atomicAdd(out, 1.0f);
}

__global__ void exact_float_atomics_sound(float* out) {
  const int count = __syncthreads_count(1);
  if (threadIdx.x == 0) {
    out[0] = static_cast<float>(count);
  }
}

__global__ void order_of_atomics_broken(int* out) {
  PLUMB_SHARED_ARRAY(int, next, 1);
  if (threadIdx.x == 0) {
    next[0] = 0;
  }
  __syncthreads();
  out[atomicAdd(&next[0], 1)] = threadIdx.x;
}

__global__ void order_of_atomics_sound(int* out) {
  out[threadIdx.x] = threadIdx.x;
}

}  // namespace

#define PLUMB_TWINS(name, T)                                                                      \
  void name(Twin twin, T* out) {                                                                  \
    PLUMB_LAUNCH(twin == Twin::broken ? name##_broken : name##_sound, (LaunchShape{1, kThreads}), \
                 nullptr, out);                                                                   \
  }
PLUMB_TWINS(shared_write_read, float)
PLUMB_TWINS(shared_write_write, int)
PLUMB_TWINS(read_then_write, float)
PLUMB_TWINS(global_in_block, int)
PLUMB_TWINS(warp_exchange, int)
PLUMB_TWINS(float_atomics, float)
PLUMB_TWINS(exact_float_atomics, float)
PLUMB_TWINS(order_of_atomics, int)

void partial_warp_sync(Twin twin, int* out) {
  PLUMB_LAUNCH(twin == Twin::broken ? partial_sync<true> : partial_sync<false>,
               (LaunchShape{1, kThreads}), nullptr, out);
}

void partial_warp_sync_late(Twin twin, int* out) {
  PLUMB_LAUNCH(twin == Twin::broken ? partial_sync_late<true> : partial_sync_late<false>,
               (LaunchShape{1, kThreads}), nullptr, out);
}

void between_blocks(Twin twin, int* out) {
  PLUMB_LAUNCH(twin == Twin::broken ? between_blocks_broken : between_blocks_sound,
               (LaunchShape{2, 32}), nullptr, out);
}

void read_of_other_block(Twin twin, int* out) {
  if (twin == Twin::broken) {
    PLUMB_LAUNCH(read_of_other_block_broken, (LaunchShape{2, 32}), nullptr, out);
    return;
  }
  PLUMB_LAUNCH(read_of_other_block_first, (LaunchShape{2, 32}), nullptr, out);
  PLUMB_LAUNCH(read_of_other_block_second, (LaunchShape{1, 32}), nullptr, out);
}

void atomic_and_plain(Twin twin, int* out) {
  PLUMB_LAUNCH(
      twin == Twin::broken ? atomic_and_plain_kernel<true> : atomic_and_plain_kernel<false>,
      (LaunchShape{1, kThreads}), nullptr, out);
}

}  // namespace plumb::simt
