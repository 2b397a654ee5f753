#include "core/ops/cuda/device.cuh"
#include "tests/simt/self/language.h"

namespace plumb::simt {
namespace {

__global__ void move_vectors(const float* in, float* out) {
  if (threadIdx.x < 16) {
    const int64_t at = blockIdx.x * 64 + threadIdx.x * 4;
    *reinterpret_cast<float4*>(out + at) = *reinterpret_cast<const float4*>(in + at);
  }
}

__global__ void move_scalars(const float* in, float* out) {
  const int64_t at = blockIdx.x * 64 + threadIdx.x;
  out[at] = in[at];
}

__global__ void move_strided(const float* in, float* out) {
  const int64_t at = threadIdx.x * 4 + blockIdx.x;
  out[at] = in[at];
}

__global__ void move_broadcast(const float* in, float* out) {
  out[blockIdx.x * 64 + threadIdx.x] = in[blockIdx.x * 64];
}

__global__ void move_misaligned(const float* in, float* out) {
  const int64_t at = blockIdx.x * 64 + threadIdx.x;
  out[at] = in[at + 1];
}

__global__ void shared_stride_kernel(int stride, float* out) {
  PLUMB_SHARED_ARRAY(float, values, 32 * 33);
  for (int i = threadIdx.x; i < 32 * 33; i += 32) {
    values[i] = i;
  }
  __syncwarp();
  out[threadIdx.x] = values[threadIdx.x * stride];
}

__global__ void shared_vectors_kernel(float* out) {
  PLUMB_SHARED_ARRAY(float4, values, 32);
  values[threadIdx.x] = make_float4(threadIdx.x, 0, 0, 0);
  __syncwarp();
  out[threadIdx.x] = values[31 - threadIdx.x].x;
}

__global__ void shared_halves_kernel(float* out) {
  PLUMB_SHARED_ARRAY(unsigned short, values, 32);
  values[threadIdx.x] = threadIdx.x;
  __syncwarp();
  out[threadIdx.x] = values[31 - threadIdx.x];
}

__global__ void read_twice_kernel(const float* in, float* out) {
  const float first = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = first + in[31 - threadIdx.x];
}

}  // namespace

void move_floats(Pattern pattern, const float* in, float* out) {
  void (*const kernels[])(const float*, float*) = {move_vectors, move_scalars, move_strided,
                                                   move_broadcast, move_misaligned};
  PLUMB_LAUNCH(kernels[static_cast<int>(pattern)], (LaunchShape{4, 64}), nullptr, in, out);
}

void shared_stride(int stride, float* out) {
  PLUMB_LAUNCH(shared_stride_kernel, (LaunchShape{1, 32}), nullptr, stride, out);
}

void shared_vectors(float* out) {
  PLUMB_LAUNCH(shared_vectors_kernel, (LaunchShape{1, 32}), nullptr, out);
}

void shared_halves(float* out) {
  PLUMB_LAUNCH(shared_halves_kernel, (LaunchShape{1, 32}), nullptr, out);
}

void read_twice(const float* in, float* out) {
  PLUMB_LAUNCH(read_twice_kernel, (LaunchShape{1, 32}), nullptr, in, out);
}

}  // namespace plumb::simt
