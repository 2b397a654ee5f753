// CUDA C++ as a host compiler sees it in a .cu file: put before the file by -include (function
// plumb_simt_library in cmake/plumb.cmake). Words that only nvcc knows become macros; built-in
// variables and intrinsics become calls of the harness. `__shared__` and `<<<>>>` are left out on
// purpose: kernels use the macros of core/ops/cuda/device.cuh.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "tests/simt/cuda_half.h"
#include "tests/simt/cuda_intrinsics.h"
#include "tests/simt/cuda_types.h"
#include "tests/simt/runtime.h"

#define __global__ __attribute__((noinline, noclone))
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (::plumb::simt::thread_index())
#define blockIdx (::plumb::simt::block_index())
#define blockDim (::plumb::simt::block_shape())
#define gridDim (::plumb::simt::grid_shape())
inline constexpr int warpSize = 32;

using namespace plumb::simt;  // NOLINT: CUDA's names stand in the global namespace

// T name[count], one a block.
#define PLUMB_SHARED_ARRAY(T, name, count) \
  static const char name##_key = 0;        \
  T(&name)                                 \
  [count] = *static_cast<T(*)[count]>(     \
      ::plumb::simt::shared_array({&name##_key, #name, sizeof(T) * (count), sizeof(T)}))
// T* name: the dynamic shared memory of the launch, 16-byte aligned.
#define PLUMB_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::plumb::simt::dynamic_shared(sizeof(T)))

namespace plumb {

using bfloat16 = simt::__nv_bfloat16;
using simt::dim3;
using simt::LaunchShape;

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape,
            void* /*stream*/, Arguments... arguments) {
  const auto call = [=]() __attribute__((no_sanitize("thread"))) {
    kernel(static_cast<Parameters>(arguments)...);
  };
  simt::launch_grid(
      {name, reinterpret_cast<const void*>(kernel)}, shape,
      [](void* bound) { (*static_cast<decltype(call)*>(bound))(); },
      const_cast<void*>(static_cast<const void*>(&call)));
}

}  // namespace plumb
