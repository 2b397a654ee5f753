#include "core/ops/head_norm.h"

#include <ATen/Dispatch.h>

#include <cmath>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/head_norm_device.h"
#include "core/ops/parallel.h"
#include "core/ops/row_sums.h"

namespace plumb {
namespace {

template <class T>
T rstd_of(const T* x, int64_t width, T eps) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t d = 0; d < width; ++d) {
    sum += x[d] * x[d];
  }
  return T{1} / std::sqrt(sum / static_cast<T>(width) + eps);
}

template <class T>
void norm_head(T* y, const T* x, const T* w, T rstd, int64_t width) {
#pragma omp simd
  for (int64_t d = 0; d < width; ++d) {
    y[d] = x[d] * rstd * w[d];
  }
}

// grad becomes d/dx; sum_w (null: not wanted) gains grad z, z the normed x without weight.
template <class T>
void backward_head(T* grad, const T* x, const T* w, T rstd, T* sum_w, int64_t width) {
  if (sum_w != nullptr) {
#pragma omp simd
    for (int64_t d = 0; d < width; ++d) {
      sum_w[d] += grad[d] * x[d] * rstd;
    }
  }
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t d = 0; d < width; ++d) {
    sum += grad[d] * w[d] * x[d];
  }
  const T pull = rstd * rstd * sum / static_cast<T>(width);
#pragma omp simd
  for (int64_t d = 0; d < width; ++d) {
    grad[d] = rstd * (grad[d] * w[d] - x[d] * pull);
  }
}

void check_heads(const at::Tensor& x, const at::Tensor& w, const at::Tensor& other) {
  check_shape(x, {-1, -1, -1}, "head_norm: x");
  check_shape(w, {x.size(2)}, "head_norm: w");
  check_shape(other, x.sizes(), "head_norm: y");
  check_same_type(w, x, "head_norm: w");
  check_dense_rows(x, "head_norm: x");
  check_dense_rows(other, "head_norm: y");
}

}  // namespace

void head_norm(const at::Tensor& x, const at::Tensor& w, double eps, const at::Tensor& y) {
  check_heads(x, w, y);
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_head_norm(*kernels, x, w, eps, y);
  }
  const int64_t heads = x.size(1), width = x.size(2);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "head_norm", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = w.const_data_ptr<scalar_t>();
    scalar_t* out = y.mutable_data_ptr<scalar_t>();
    for_rows(x.size(0), heads * width, [&](int64_t row) {
      for (int64_t head = 0; head < heads; ++head) {
        const scalar_t* from = in + row * x.stride(0) + head * x.stride(1);
        scalar_t* to = out + row * y.stride(0) + head * y.stride(1);
        norm_head(to, from, scale, rstd_of(from, width, static_cast<scalar_t>(eps)), width);
      }
    });
  });
}

at::Tensor head_norm_backward_(const at::Tensor& grad, const HeadNormGradient& norm) {
  const at::Tensor& x = norm.x;
  check_heads(x, norm.w, grad);
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_head_norm_backward_(*kernels, grad, norm);
  }
  const int64_t rows = x.size(0), heads = x.size(1), width = x.size(2);
  at::Tensor grad_w;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "head_norm_backward", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = norm.w.const_data_ptr<scalar_t>();
    scalar_t* out = grad.mutable_data_ptr<scalar_t>();
    const auto backward_row = [&](scalar_t* sum_w, int64_t row) {
      for (int64_t head = 0; head < heads; ++head) {
        const scalar_t* from = in + row * x.stride(0) + head * x.stride(1);
        backward_head(out + row * grad.stride(0) + head * grad.stride(1), from, scale,
                      rstd_of(from, width, static_cast<scalar_t>(norm.eps)), sum_w, width);
      }
    };
    if (norm.is_weight_wanted) {
      grad_w = sum_over_rows<scalar_t>(rows, width, x.options(), backward_row);
    } else {
      for_rows(rows, heads * width, [&](int64_t row) { backward_row(nullptr, row); });
    }
  });
  return grad_w;
}

}  // namespace plumb
