#include "core/ops/cuda/device.cuh"
#include "tests/simt/self/defects.h"

namespace plumb::simt {
namespace {

constexpr int kThreads = 64;
constexpr unsigned kAll = 0xFFFFFFFFu;

__global__ void barrier_in_branch_broken(int* out) {
  if (threadIdx.x < 32) {
    __syncthreads();  // <branch>
  }
  out[threadIdx.x] = 1;
}

__global__ void barrier_in_branch_sound(int* out) {
  if (threadIdx.x < 32) {
    __syncwarp();
  }
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers_broken(int* out) {
  if (threadIdx.x < 32) {
    out[threadIdx.x] = 1;
    __syncthreads();  // <two.first>
  } else {
    out[threadIdx.x] = 2;
    __syncthreads();  // <two.second>
  }
}

__global__ void two_barriers_sound(int* out) {
  out[threadIdx.x] = threadIdx.x < 32 ? 1 : 2;
  __syncthreads();
}

__global__ void uneven_loop_broken(int* out) {
  for (int i = 0; i < (threadIdx.x < 32 ? 2 : 1); ++i) {
    out[threadIdx.x] = i;
    __syncthreads();  // <uneven>
  }
}

__global__ void uneven_loop_sound(int* out) {
  for (int i = 0; i < 2; ++i) {
    out[threadIdx.x] = i;
    __syncthreads();
  }
}

__global__ void early_return_broken(int* out) {
  __syncthreads();  // <early.last>
  if (threadIdx.x >= 40) {
    return;
  }
  out[threadIdx.x] = 1;
  __syncthreads();  // <early.waits>
}

__global__ void early_return_sound(int* out) {
  __syncthreads();
  if (threadIdx.x < 40) {
    out[threadIdx.x] = 1;
  }
  __syncthreads();
}

__global__ void lane_not_named_broken(int* out) {
  out[threadIdx.x] = __shfl_sync(0x0000FFFFu, 1, 0);  // <not_named>
}

__global__ void lane_not_named_sound(int* out) {
  out[threadIdx.x] = __shfl_sync(kAll, 1, 0);
}

__global__ void lane_left_broken(int* out) {
  if (threadIdx.x % 32 == 31) {
    return;
  }
  out[threadIdx.x] = __shfl_xor_sync(kAll, 1, 1);  // <left>
}

__global__ void lane_left_sound(int* out) {
  const int one = __shfl_xor_sync(kAll, 1, 1);
  if (threadIdx.x % 32 == 31) {
    return;
  }
  out[threadIdx.x] = one;
}

__global__ void masks_differ_broken(int* out) {
  const unsigned mask = threadIdx.x % 32 < 31 ? kAll : 0xFFFF0000u;
  out[threadIdx.x] = __any_sync(mask, 1);  // <masks>
}

__global__ void masks_differ_sound(int* out) {
  out[threadIdx.x] = __any_sync(kAll, 1);
}

__global__ void source_not_named_broken(int* out) {
  if (threadIdx.x % 32 < 16) {
    out[threadIdx.x] = __shfl_down_sync(0x0000FFFFu, 1, 1);  // <source>
  }
}

__global__ void source_not_named_sound(int* out) {
  if (threadIdx.x % 32 < 16) {
    out[threadIdx.x] = __shfl_down_sync(0x0000FFFFu, 1, 1, 16);
  }
}

__global__ void two_shuffles_broken(int* out) {
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = __shfl_xor_sync(kAll, 1, 1);  // <shuffles.first>
  } else {
    out[threadIdx.x] = 1 + __shfl_xor_sync(kAll, 2, 1);  // <shuffles.second>
  }
}

__global__ void two_shuffles_sound(int* out) {
  const int odd = threadIdx.x % 2;
  out[threadIdx.x] = odd + __shfl_xor_sync(kAll, 1 + odd, 1);
}

__global__ void barrier_against_shuffle_broken(int* out) {
  if (threadIdx.x % 32 == 0) {
    __syncthreads();  // <deadlock.barrier>
  } else {
    out[threadIdx.x] = __shfl_sync(kAll, 1, 1);  // <deadlock.shuffle>
  }
}

__global__ void barrier_against_shuffle_sound(int* out) {
  out[threadIdx.x] = __shfl_sync(kAll, 1, 1);
  __syncthreads();
}

}  // namespace

#define PLUMB_TWINS(name)                                                                         \
  void name(Twin twin, int* out) {                                                                \
    PLUMB_LAUNCH(twin == Twin::broken ? name##_broken : name##_sound, (LaunchShape{1, kThreads}), \
                 nullptr, out);                                                                   \
  }
PLUMB_TWINS(barrier_in_branch)
PLUMB_TWINS(two_barriers)
PLUMB_TWINS(uneven_loop)
PLUMB_TWINS(early_return)
PLUMB_TWINS(lane_not_named)
PLUMB_TWINS(lane_left)
PLUMB_TWINS(masks_differ)
PLUMB_TWINS(source_not_named)
PLUMB_TWINS(two_shuffles)
PLUMB_TWINS(barrier_against_shuffle)

}  // namespace plumb::simt
