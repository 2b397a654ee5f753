// The few conventions of kernel files (docs/kernels.md). Under nvcc they are CUDA itself; when a
// .cu file is built for a CPU, tests/simt/cuda_language.h has defined the same words before.
//   PLUMB_SHARED_ARRAY(T, name, count)   __shared__ T name[count]
//   PLUMB_DYNAMIC_SHARED(T, name)        T* name, the dynamic shared memory of the launch
//   PLUMB_LAUNCH(kernel, shape, stream, arguments...)   a checked launch
//   async_copy, async_commit, async_wait  cp.async of 16 bytes, global to shared
#pragma once
#include "core/ops/cuda/kernel_types.h"
#include "core/ops/cuda/shared_memory.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_pipeline_primitives.h>

#include <string>

#include "core/error.h"

#define PLUMB_SHARED_ARRAY(T, name, count) __shared__ T name[count]
#define PLUMB_DYNAMIC_SHARED(T, name)                   \
  extern __shared__ uint4 plumb_dynamic_shared_bytes[]; \
  T* const name = reinterpret_cast<T*>(plumb_dynamic_shared_bytes)

namespace plumb {

using bfloat16 = __nv_bfloat16;

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;  // dynamic shared memory
};

inline void check_cuda(cudaError_t status, const char* what, const LaunchShape& shape) {
  if (status == cudaSuccess) {
    return;
  }
  throw Error("kernel " + std::string(what) + " with " + std::to_string(shape.grid.x) + " x " +
                  std::to_string(shape.grid.y) + " x " + std::to_string(shape.grid.z) +
                  " blocks of " + std::to_string(shape.block.x * shape.block.y * shape.block.z) +
                  " threads and " + std::to_string(shape.shared_bytes) +
                  " bytes of shared memory: " + cudaGetErrorString(status),
              Exit::failed);
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape,
            KernelStream stream, Arguments... arguments) {
  if (shape.shared_bytes > kDynamicUnasked) {
    check_cuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                    cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(shape.shared_bytes)),
               name, shape);
  }
  kernel<<<shape.grid, shape.block, shape.shared_bytes, static_cast<cudaStream_t>(stream)>>>(
      static_cast<Parameters>(arguments)...);
  check_cuda(cudaGetLastError(), name, shape);
}

__device__ __forceinline__ void async_copy(void* shared, const void* global, size_t bytes) {
  __pipeline_memcpy_async(shared, global, bytes);
}
__device__ __forceinline__ void async_commit() {
  __pipeline_commit();
}
__device__ __forceinline__ void async_wait(int groups_left) {
  __pipeline_wait_prior(groups_left);
}

}  // namespace plumb
#endif

#define PLUMB_LAUNCH(kernel, shape, stream, ...) \
  ::plumb::launch(#kernel, kernel, shape, stream, __VA_ARGS__)
