// The six products of LoRA's updates as stages of one kernel: c(m, n) = sum over k of left(m, k)
// right(k, n). A stage says its extents, reads its operands and stores its result; kLeftAlongK and
// kRightAlongK tell along which index an operand lies dense.
#pragma once
#include "core/ops/cuda/dispatch.cuh"
#include "core/ops/cuda/philox.cuh"
#include "core/ops/low_rank_kernel.h"

namespace plumb {

// What dropout multiplies element (row, column) of A's input by.
__device__ __forceinline__ float kept_scale(const LowRankDropout& by, int64_t row, int64_t column,
                                            int64_t width) {
  if (by.threshold == 0) {
    return 1.0f;
  }
  const int64_t element = (by.first_row + row) * width + column;
  const uint4 words = philox_words({by.key_x, by.key_y}, by.id, static_cast<uint64_t>(element) / 4);
  const int which = static_cast<int>(element % 4);
  const uint32_t word =
      which < 2 ? (which == 0 ? words.x : words.y) : (which == 2 ? words.z : words.w);
  return word >= by.threshold ? by.keep_scale : 0.0f;
}

template <class T>
__device__ __forceinline__ float value_at(const void* array, int64_t place) {
  return to_float(static_cast<const T*>(array)[place]);
}
template <class T>
__device__ __forceinline__ void put_at(void* array, int64_t place, float value) {
  static_cast<T*>(array)[place] = from_float<T>(value);
}

// narrow(row, r) = sum over i of drop(x)(row, i) a(r, i)
template <class T>
struct NarrowStage {
  static constexpr bool kLeftAlongK = true, kRightAlongK = true;
  const LowRankForward& op;
  const LowRankGroup& group;
  int64_t width = op.of.in_width;
  int64_t rows = group.end - group.begin, columns = group.rank, depth = width;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(op.x, (group.begin + m) * op.x_stride + k) *
           kept_scale(group.dropout, m, k, width);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(group.a, n * width + k);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    put_at<T>(group.narrow, m * group.rank + n, sum);
  }
};

// y(row, o) += scale sum over r of narrow(row, r) b(o, r)
template <class T>
struct WidenStage {
  static constexpr bool kLeftAlongK = true, kRightAlongK = true;
  const LowRankForward& op;
  const LowRankGroup& group;
  int64_t rows = group.end - group.begin, columns = group.out_width, depth = group.rank;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(group.narrow, m * group.rank + k);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(group.b, n * group.rank + k);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    const int64_t place = (group.begin + m) * op.y_stride + group.column + n;
    put_at<T>(op.y, place, value_at<T>(op.y, place) + static_cast<float>(group.scale) * sum);
  }
};

// grad_narrow(row, r) = scale sum over o of grad_y(row, o) b(o, r)
template <class T>
struct GradNarrowStage {
  static constexpr bool kLeftAlongK = true, kRightAlongK = false;
  const LowRankGradients& op;
  const LowRankGroup& group;
  int64_t rows = group.end - group.begin, columns = group.rank, depth = group.out_width;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(op.grad_y, (group.begin + m) * op.grad_y_stride + group.column + k);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(group.b, k * group.rank + n);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    put_at<T>(group.grad_narrow, m * group.rank + n, static_cast<float>(group.scale) * sum);
  }
};

// grad_b(o, r) = scale sum over rows of grad_y(row, o) narrow(row, r)
template <class T>
struct GradBStage {
  static constexpr bool kLeftAlongK = false, kRightAlongK = false;
  const LowRankGradients& op;
  const LowRankGroup& group;
  int64_t rows = group.grad_b == nullptr ? 0 : group.out_width, columns = group.rank,
          depth = group.end - group.begin;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(op.grad_y, (group.begin + k) * op.grad_y_stride + group.column + m);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(group.narrow, k * group.rank + n);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    put_at<T>(group.grad_b, m * group.rank + n, static_cast<float>(group.scale) * sum);
  }
};

// grad_x(row, i) += drop(sum over r of grad_narrow(row, r) a(r, i))
template <class T>
struct GradXStage {
  static constexpr bool kLeftAlongK = true, kRightAlongK = false;
  const LowRankGradients& op;
  const LowRankGroup& group;
  int64_t width = op.of.in_width;
  int64_t rows = group.end - group.begin, columns = width, depth = group.rank;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(group.grad_narrow, m * group.rank + k);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(group.a, k * width + n);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    const int64_t place = (group.begin + m) * op.grad_x_stride + n;
    put_at<T>(op.grad_x, place,
              value_at<T>(op.grad_x, place) + sum * kept_scale(group.dropout, m, n, width));
  }
};

// grad_a(r, i) = sum over rows of grad_narrow(row, r) drop(x)(row, i)
template <class T>
struct GradAStage {
  static constexpr bool kLeftAlongK = false, kRightAlongK = false;
  const LowRankGradients& op;
  const LowRankGroup& group;
  int64_t width = op.of.in_width;
  int64_t rows = group.grad_a == nullptr ? 0 : group.rank, columns = width,
          depth = group.end - group.begin;

  __device__ __forceinline__ float left(int64_t m, int64_t k) const {
    return value_at<T>(group.grad_narrow, k * group.rank + m);
  }
  __device__ __forceinline__ float right(int64_t k, int64_t n) const {
    return value_at<T>(op.x, (group.begin + k) * op.x_stride + n) *
           kept_scale(group.dropout, k, n, width);
  }
  __device__ __forceinline__ void store(int64_t m, int64_t n, float sum) const {
    put_at<T>(group.grad_a, m * width + n, sum);
  }
};

}  // namespace plumb
