#include "tests/simt/self/language.h"

#include "core/ops/cuda/device.cuh"

namespace plumb::simt {
namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;

__global__ void shuffles_kernel(int64_t* out) {
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(kAll, lane, 3, 8);
  out[32 + lane] = __shfl_up_sync(kAll, lane, 2);
  out[64 + lane] = __shfl_down_sync(kAll, lane, 3, 16);
  out[96 + lane] = __shfl_xor_sync(kAll, lane, 5);
  out[128 + lane] = __shfl_sync(kAll, int64_t{1} << (lane + 8), 31 - lane);
}

__global__ void votes_kernel(int64_t* out) {
  const int lane = threadIdx.x;
  const int odd = lane % 2;
  int all_equal = 0;
  out[lane] = __any_sync(kAll, lane == 9);
  out[32 + lane] = __all_sync(kAll, lane < 31);
  out[64 + lane] = __ballot_sync(kAll, odd);
  out[96 + lane] = __match_any_sync(kAll, lane / 4);
  out[128 + lane] = __match_all_sync(kAll, 7.5f, &all_equal);
  out[160 + lane] = all_equal + __reduce_add_sync(kAll, lane);
  out[192 + lane] = __reduce_min_sync(kAll, lane - 5);
  out[224 + lane] = __reduce_max_sync(kAll, static_cast<unsigned>(lane - 5));
}

__global__ void block_votes_kernel(int* out) {
  const int is_multiple = threadIdx.x % 3 == 0;
  const int count = __syncthreads_count(is_multiple);
  const int all = __syncthreads_and(is_multiple);
  const int any = __syncthreads_or(is_multiple);
  if (threadIdx.x == 0) {
    out[0] = count;
    out[1] = all;
    out[2] = any;
  }
}

__global__ void indices_kernel(int64_t* out) {
  const int64_t block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int64_t thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int64_t number = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
  out[number] = number;
}

__global__ void atomics_kernel(unsigned* out) {
  const unsigned i = threadIdx.x;
  atomicAdd(&out[0], i);
  atomicMax(&out[1], i ^ 21u);
  atomicMin(&out[2], i + 5);
  atomicOr(&out[3], 1u << i % 32);
  atomicAnd(&out[4], ~(1u << i % 8));
  atomicXor(&out[5], i);
  unsigned seen = 0, was = 0;
  do {
    seen = was;
    was = atomicCAS(&out[6], seen, seen + 1);
  } while (was != seen);
}

}  // namespace

void shuffles(int64_t* out) {
  PLUMB_LAUNCH(shuffles_kernel, (LaunchShape{1, 32}), nullptr, out);
}
void votes(int64_t* out) {
  PLUMB_LAUNCH(votes_kernel, (LaunchShape{1, 32}), nullptr, out);
}
void block_votes(int* out) {
  PLUMB_LAUNCH(block_votes_kernel, (LaunchShape{1, 96}), nullptr, out);
}
void indices(int64_t* out) {
  PLUMB_LAUNCH(indices_kernel, (LaunchShape{dim3(2, 3, 2), dim3(4, 2, 3)}), nullptr, out);
}
void atomics(unsigned* out) {
  PLUMB_LAUNCH(atomics_kernel, (LaunchShape{1, 64}), nullptr, out);
}

}  // namespace plumb::simt
