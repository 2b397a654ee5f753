#include "core/ops/cuda/low_rank_stages.cuh"

namespace plumb {
namespace {

constexpr int kEdge = 32;               // of a tile of the result, and of a step along k
constexpr int kTileStride = kEdge + 1;  // keeps columns on different banks
constexpr int kThreadsX = 16;
constexpr int kLowRankThreads = kThreadsX * kThreadsX;

// Fills tile[k][m] from value(m, k), zero beyond the ends; neighbouring threads go along k or m.
template <bool kAlongK, class Value>
__device__ __forceinline__ void fill_tile(float* tile, int64_t most_m, int64_t most_k,
                                          const Value& value) {
  for (int i = threadIdx.x; i < kEdge * kEdge; i += kLowRankThreads) {
    const int m = kAlongK ? i / kEdge : i % kEdge, k = kAlongK ? i % kEdge : i / kEdge;
    tile[k * kTileStride + m] = m < most_m && k < most_k ? value(m, k) : 0.0f;
  }
}

// Block (tile of rows, tile of columns, group). A thread has rows y and y + 16, columns x and
// x + 16 of the tile.
template <class Stage, class Op>
__global__ void __launch_bounds__(kLowRankThreads, 2) low_rank_kernel(Op op) {
  PLUMB_SHARED_ARRAY(float, left, kEdge* kTileStride);
  PLUMB_SHARED_ARRAY(float, right, kEdge* kTileStride);
  const LowRankGroup group = op.of.groups[blockIdx.z];
  const Stage stage{op, group};
  const int64_t row = int64_t{blockIdx.x} * kEdge, column = int64_t{blockIdx.y} * kEdge;
  if (row >= stage.rows || column >= stage.columns) {
    return;  // the whole block
  }
  const int x = threadIdx.x % kThreadsX, y = threadIdx.x / kThreadsX;
  float sums[2][2] = {};
  for (int64_t first = 0; first < stage.depth; first += kEdge) {
    fill_tile<Stage::kLeftAlongK>(left, stage.rows - row, stage.depth - first,
                                  [&](int m, int k) { return stage.left(row + m, first + k); });
    fill_tile<Stage::kRightAlongK>(
        right, stage.columns - column, stage.depth - first,
        [&](int n, int k) { return stage.right(first + k, column + n); });
    __syncthreads();
    float parts[2][2] = {};  // of this step: sums of sums lose fewer bits than one long sum
#pragma unroll 8
    for (int k = 0; k < kEdge; ++k) {
      const float* const l = left + k * kTileStride + y;
      const float* const r = right + k * kTileStride + x;
#pragma unroll
      for (int a = 0; a < 2; ++a) {
#pragma unroll
        for (int b = 0; b < 2; ++b) {
          parts[a][b] += l[a * kThreadsX] * r[b * kThreadsX];
        }
      }
    }
#pragma unroll
    for (int a = 0; a < 2; ++a) {
#pragma unroll
      for (int b = 0; b < 2; ++b) {
        sums[a][b] += parts[a][b];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int a = 0; a < 2; ++a) {
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      const int64_t m = row + y + a * kThreadsX, n = column + x + b * kThreadsX;
      if (m < stage.rows && n < stage.columns) {
        stage.store(m, n, sums[a][b]);
      }
    }
  }
}

unsigned edges(int64_t count) {
  return static_cast<unsigned>((count + kEdge - 1) / kEdge);
}

// rows, columns: the most that a group's result has.
template <class Stage, class Op>
void launch_stage(const Op& op, int64_t rows, int64_t columns, KernelStream stream) {
  if (rows > 0 && columns > 0) {
    const LaunchShape shape{dim3(edges(rows), edges(columns), static_cast<unsigned>(op.of.count)),
                            dim3(kLowRankThreads)};
    PLUMB_LAUNCH((low_rank_kernel<Stage, Op>), shape, stream, op);
  }
}

}  // namespace

void launch_low_rank_forward(const LowRankForward& op, KernelStream stream) {
  const LowRankGroups& of = op.of;
  if (of.count == 0) {
    return;
  }
  with_dtype(of.dtype, [&](auto type) {
    using T = decltype(type);
    launch_stage<NarrowStage<T>>(op, of.max_rows, of.max_rank, stream);
    launch_stage<WidenStage<T>>(op, of.max_rows, of.max_out, stream);
  });
}

void launch_low_rank_backward(const LowRankGradients& op, KernelStream stream) {
  const LowRankGroups& of = op.of;
  if (of.count == 0) {
    return;
  }
  with_dtype(of.dtype, [&](auto type) {
    using T = decltype(type);
    launch_stage<GradNarrowStage<T>>(op, of.max_rows, of.max_rank, stream);
    launch_stage<GradBStage<T>>(op, of.max_out, of.max_rank, stream);
    launch_stage<GradAStage<T>>(op, of.max_rank, of.in_width, stream);
    if (op.grad_x != nullptr) {
      launch_stage<GradXStage<T>>(op, of.max_rows, of.in_width, stream);
    }
  });
}

}  // namespace plumb
