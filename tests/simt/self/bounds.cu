#include "core/ops/cuda/device.cuh"
#include "tests/simt/self/defects.h"

namespace plumb::simt {
namespace {

constexpr int kThreads = 64;

__global__ void past_end_broken(float* out, int64_t count) {
  if (threadIdx.x <= count) {
    out[threadIdx.x] = 1;  // <past_end>
  }
}

__global__ void past_end_sound(float* out, int64_t count) {
  if (threadIdx.x < count) {
    out[threadIdx.x] = 1;
  }
}

__global__ void before_begin_broken(float* out) {
  out[static_cast<int>(threadIdx.x) - 1] = 1;  // <before_begin>
}

__global__ void before_begin_sound(float* out) {
  out[threadIdx.x] = 1;
}

__global__ void past_shared_broken(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x + 1] = 1;  // <past_shared>
  __syncthreads();
  out[threadIdx.x] = threadIdx.x == 0 ? 1.0f : values[threadIdx.x];
}

__global__ void past_shared_sound(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

__global__ void null_pointer_broken(float* out) {
  float* const nowhere = out - reinterpret_cast<uintptr_t>(out) / sizeof(float);
  nowhere[threadIdx.x] = 1;  // <null>
}

__global__ void null_pointer_sound(float* out) {
  out[threadIdx.x] = 1;
}

template <bool kBroken>
__global__ void vector_tail_kernel(float* out, int64_t count) {
  const int64_t at = threadIdx.x * 4;
  if (kBroken ? at < count : at + 4 <= count) {
    *reinterpret_cast<float4*>(out + at) = make_float4(1, 1, 1, 1);  // <tail>
  }
}

template <bool kBroken>
__global__ void misaligned_vector_kernel(float* out) {
  const float4 ones = make_float4(1, 1, 1, 1);
  *reinterpret_cast<float4*>(out + (kBroken ? 1 : 4)) = ones;  // <misaligned>
}

__global__ void shared_not_written_broken(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  if (threadIdx.x != 7) {
    values[threadIdx.x] = 1;
  }
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];  // <not_written>
}

__global__ void shared_not_written_sound(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

// The second block does not write what the first one did.
__global__ void left_by_other_block_kernel(float* out) {
  PLUMB_SHARED_ARRAY(float, values, kThreads);
  if (blockIdx.x == 0) {
    values[threadIdx.x] = 1;
  }
  __syncthreads();
  out[blockIdx.x * kThreads + threadIdx.x] = values[threadIdx.x];  // <left>
}

__global__ void copy_kernel(const float* in, float* out, int64_t count) {
  const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  if (i < count) {
    out[i] = in[i];  // <copy>
  }
}

template <bool kBroken>
__global__ void async_kernel(const float* in, float* out) {
  PLUMB_SHARED_ARRAY(float4, values, kThreads / 4);
  if (threadIdx.x < kThreads / 4) {
    async_copy(&values[threadIdx.x], in + threadIdx.x * 4, 16);
  }
  async_commit();
  if (!kBroken) {
    async_wait(0);
  }
  __syncthreads();
  out[threadIdx.x] = reinterpret_cast<float*>(values)[threadIdx.x];  // <async>
}

__global__ void double_dynamic_kernel(int64_t count, float* out) {
  PLUMB_DYNAMIC_SHARED(float, values);
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    values[i] = static_cast<float>(i);  // <dynamic>
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    out[i] = 2 * values[count - 1 - i];
  }
}

template <int kDeclared>
__global__ void declared_and_dynamic_kernel(float* out) {
  PLUMB_SHARED_ARRAY(float, declared, kDeclared);
  PLUMB_DYNAMIC_SHARED(float, dynamic);
  const int i = threadIdx.x;
  declared[i] = 1.0f;
  dynamic[i] = 2.0f;
  out[i] = declared[i] + dynamic[i];
}

}  // namespace

#define PLUMB_TWINS(name)                                                                         \
  void name(Twin twin, float* out) {                                                              \
    PLUMB_LAUNCH(twin == Twin::broken ? name##_broken : name##_sound, (LaunchShape{1, kThreads}), \
                 nullptr, out);                                                                   \
  }
PLUMB_TWINS(before_begin)
PLUMB_TWINS(past_shared)
PLUMB_TWINS(null_pointer)
PLUMB_TWINS(shared_not_written)

void past_end(Twin twin, float* out, int64_t count) {
  PLUMB_LAUNCH(twin == Twin::broken ? past_end_broken : past_end_sound, (LaunchShape{1, kThreads}),
               nullptr, out, count);
}

void vector_tail(Twin twin, float* out, int64_t count) {
  PLUMB_LAUNCH(twin == Twin::broken ? vector_tail_kernel<true> : vector_tail_kernel<false>,
               (LaunchShape{1, kThreads}), nullptr, out, count);
}

void misaligned_vector(Twin twin, float* out) {
  PLUMB_LAUNCH(
      twin == Twin::broken ? misaligned_vector_kernel<true> : misaligned_vector_kernel<false>,
      (LaunchShape{1, 1}), nullptr, out);
}

void copy_values(const float* in, float* out, int64_t count) {
  const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  PLUMB_LAUNCH(copy_kernel, (LaunchShape{blocks, kThreads}), nullptr, in, out, count);
}

void left_by_other_block(float* out) {
  PLUMB_LAUNCH(left_by_other_block_kernel, (LaunchShape{2, kThreads}), nullptr, out);
}

void early_async_read(Twin twin, const float* in, float* out) {
  PLUMB_LAUNCH(twin == Twin::broken ? async_kernel<true> : async_kernel<false>,
               (LaunchShape{1, kThreads}), nullptr, in, out);
}

void double_dynamic(int64_t count, float* out, int64_t shared_bytes) {
  PLUMB_LAUNCH(double_dynamic_kernel, (LaunchShape{1, kThreads, static_cast<size_t>(shared_bytes)}),
               nullptr, count, out);
}

void declared_and_dynamic(float* out, int64_t dynamic_bytes) {
  PLUMB_LAUNCH(declared_and_dynamic_kernel<10240>,
               (LaunchShape{1, kThreads, static_cast<size_t>(dynamic_bytes)}), nullptr, out);
}

}  // namespace plumb::simt
