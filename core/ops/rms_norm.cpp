#include "core/ops/rms_norm.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/once.h"
#include "core/ops/parallel.h"
#include "core/ops/rms_norm_device.h"
#include "core/ops/row_sums.h"

namespace plumb {
namespace {

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

template <class T>
void grad_x_row(T* out, const T* grad_y, const T* x, const T* w, T rstd, int64_t width) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < width; ++c) {
    sum += grad_y[c] * w[c] * x[c];
  }
  const T pull = rstd * rstd * sum / static_cast<T>(width);
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    out[c] += rstd * (grad_y[c] * w[c] - x[c] * pull);
  }
}

template <class T>
void apply_row(T* y, const T* x, const T* w, T rstd, int64_t width) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    y[c] = x[c] * rstd * w[c];
  }
}

template <class T>
void add_grad_w_row(T* sum, const T* grad_y, const T* x, T rstd, int64_t width) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    sum[c] += grad_y[c] * x[c] * rstd;
  }
}

// Kept apart from the raw functions: forward saves x and rstd, backward is local to a row.
struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& w, double eps) {
    const RmsNormed normed = rms_norm_forward(x, w, eps);
    ctx->save_for_backward({x, w, normed.rstd});
    return normed.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_double_backward("rms_norm");
    const auto saved = ctx->get_saved_variables();
    RmsNormGrads formed = rms_norm_backward(
        grads[0].contiguous(), {saved[0], saved[1], saved[2], {}, ctx->needs_input_grad(1)});
    return {formed.x, formed.w, {}};
  }
};

}  // namespace

at::Tensor rms_norm_rstd(const at::Tensor& x, double eps) {
  check_shape(x, {-1, -1}, "rms_norm: x");
  TORCH_INTERNAL_ASSERT(x.is_contiguous());
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor rstd = at::empty({rows}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_rstd", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    scalar_t* out = rstd.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      const scalar_t* values = in + row * width;
      const scalar_t mean = dot(values, values, width) / static_cast<scalar_t>(width);
      out[row] = scalar_t{1} / std::sqrt(mean + static_cast<scalar_t>(eps));
    });
  });
  return rstd;
}

at::Tensor rms_norm_apply(const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd) {
  check_shape(w, {x.size(1)}, "rms_norm: w");
  check_same_type(w, x, "rms_norm: w");
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor y = at::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_apply", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = w.const_data_ptr<scalar_t>();
    const scalar_t* inverse = rstd.const_data_ptr<scalar_t>();
    scalar_t* out = y.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      apply_row(out + row * width, in + row * width, scale, inverse[row], width);
    });
  });
  return y;
}

at::Tensor rms_norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& w,
                           const at::Tensor& rstd, const at::Tensor& residual) {
  check_shape(grad_y, x.sizes(), "rms_norm: grad_y");
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor grad_x =
      residual.defined() ? residual.clone(at::MemoryFormat::Contiguous) : at::zeros_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_grad_x", [&] {
    const scalar_t* grad = grad_y.const_data_ptr<scalar_t>();
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = w.const_data_ptr<scalar_t>();
    const scalar_t* inverse = rstd.const_data_ptr<scalar_t>();
    scalar_t* out = grad_x.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      const int64_t at = row * width;
      grad_x_row(out + at, grad + at, in + at, scale, inverse[row], width);
    });
  });
  return grad_x;
}

at::Tensor rms_norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& rstd) {
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor sum;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_grad_w", [&] {
    const scalar_t* grad = grad_y.const_data_ptr<scalar_t>();
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* inverse = rstd.const_data_ptr<scalar_t>();
    sum = sum_over_rows<scalar_t>(rows, width, x.options(), [&](scalar_t* into, int64_t row) {
      add_grad_w_row(into, grad + row * width, in + row * width, inverse[row], width);
    });
  });
  return sum;
}

RmsNormed rms_norm_forward(const at::Tensor& x, const at::Tensor& w, double eps) {
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_rms_norm(*kernels, x, w, eps);
  }
  const at::Tensor rstd = rms_norm_rstd(x, eps);
  return {rms_norm_apply(x, w, rstd), rstd};
}

at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd,
                          double eps) {
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_rms_norm(*kernels, x, w, eps).y;  // one sweep; rstd costs it nothing
  }
  return rms_norm_apply(x, w, rstd);
}

RmsNormGrads rms_norm_backward(const at::Tensor& grad_y, const RmsNormGradient& norm) {
  if (const KernelTable* const kernels = kernels_for(norm.x)) {
    return device_rms_norm_backward(*kernels, grad_y, norm);
  }
  RmsNormGrads grads;
  if (norm.is_weight_wanted) {
    grads.w = rms_norm_grad_w(grad_y, norm.x, norm.rstd);
  }
  grads.x = rms_norm_grad_x(grad_y, norm.x, norm.w, norm.rstd, norm.residual);
  return grads;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& w, double eps) {
  return RmsNormFunction::apply(x, w, eps);
}

at::Tensor rms_norm_ref(const at::Tensor& x, const at::Tensor& w, double eps) {
  return x * (x.square().mean(-1, /*keepdim=*/true) + eps).rsqrt() * w;
}

}  // namespace plumb
