#include "core/ops/layer_norm.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/layer_norm_device.h"
#include "core/ops/once.h"
#include "core/ops/parallel.h"
#include "core/ops/row_sums.h"

namespace plumb {
namespace {

template <class T>
struct RowStats {
  T mean;
  T rstd;
};

// Two sweeps: squares of values with a large mean would cancel.
template <class T>
RowStats<T> row_stats(const T* x, int64_t width, T eps) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < width; ++c) {
    sum += x[c];
  }
  const T mean = sum / static_cast<T>(width);
  T squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t c = 0; c < width; ++c) {
    squares += (x[c] - mean) * (x[c] - mean);
  }
  return {mean, T{1} / std::sqrt(squares / static_cast<T>(width) + eps)};
}

template <class T>
void apply_row(T* y, const T* x, const T* w, const T* b, RowStats<T> stats, int64_t width) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    y[c] = (x[c] - stats.mean) * stats.rstd * w[c] + b[c];
  }
}

// With g = grad_y w and z the normed x: rstd (g - mean(g) - z mean(g z)).
template <class T>
void grad_x_row(T* out, const T* grad_y, const T* x, const T* w, RowStats<T> stats, int64_t width) {
  T sum = 0, pull = 0;
#pragma omp simd reduction(+ : sum, pull)
  for (int64_t c = 0; c < width; ++c) {
    const T grad = grad_y[c] * w[c];
    sum += grad;
    pull += grad * (x[c] - stats.mean);
  }
  const T shift = sum / static_cast<T>(width);
  const T slope = pull * stats.rstd * stats.rstd / static_cast<T>(width);
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    out[c] += stats.rstd * (grad_y[c] * w[c] - shift - (x[c] - stats.mean) * slope);
  }
}

template <class T>
void add_grad_w_row(T* sum, const T* grad_y, const T* x, RowStats<T> stats, int64_t width) {
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    sum[c] += grad_y[c] * (x[c] - stats.mean) * stats.rstd;
  }
}

template <class T>
struct StatsOfRows {
  explicit StatsOfRows(const LayerNormStats& stats)
      : mean(stats.mean.const_data_ptr<T>()), rstd(stats.rstd.const_data_ptr<T>()) {}
  RowStats<T> operator[](int64_t row) const { return {mean[row], rstd[row]}; }

  const T* mean;
  const T* rstd;
};

struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& w, const at::Tensor& b, double eps) {
    const LayerNormed normed = layer_norm_forward(x, w, b, eps);
    ctx->save_for_backward({x, w, normed.stats.mean, normed.stats.rstd});
    return normed.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_double_backward("layer_norm");
    const auto saved = ctx->get_saved_variables();
    LayerNormGrads formed = layer_norm_backward(grads[0].contiguous(), {saved[0],
                                                                        saved[1],
                                                                        {saved[2], saved[3]},
                                                                        {},
                                                                        ctx->needs_input_grad(1),
                                                                        ctx->needs_input_grad(2)});
    return {formed.x, formed.w, formed.b, {}};
  }
};

}  // namespace

LayerNormStats layer_norm_stats(const at::Tensor& x, double eps) {
  check_shape(x, {-1, -1}, "layer_norm: x");
  TORCH_INTERNAL_ASSERT(x.is_contiguous());
  const int64_t rows = x.size(0), width = x.size(1);
  LayerNormStats stats{at::empty({rows}, x.options()), at::empty({rows}, x.options())};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "layer_norm_stats", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    scalar_t* mean = stats.mean.mutable_data_ptr<scalar_t>();
    scalar_t* rstd = stats.rstd.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      const auto found = row_stats(in + row * width, width, static_cast<scalar_t>(eps));
      mean[row] = found.mean;
      rstd[row] = found.rstd;
    });
  });
  return stats;
}

at::Tensor layer_norm_apply(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                            const LayerNormStats& stats) {
  check_shape(w, {x.size(1)}, "layer_norm: w");
  check_shape(b, {x.size(1)}, "layer_norm: b");
  check_same_type(w, x, "layer_norm: w");
  check_same_type(b, x, "layer_norm: b");
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor y = at::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "layer_norm_apply", [&] {
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = w.const_data_ptr<scalar_t>();
    const scalar_t* shift = b.const_data_ptr<scalar_t>();
    const StatsOfRows<scalar_t> of(stats);
    scalar_t* out = y.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      apply_row(out + row * width, in + row * width, scale, shift, of[row], width);
    });
  });
  return y;
}

at::Tensor layer_norm_grad_x(const at::Tensor& grad_y, const at::Tensor& x, const at::Tensor& w,
                             const LayerNormStats& stats, const at::Tensor& residual) {
  check_shape(grad_y, x.sizes(), "layer_norm: grad_y");
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor grad_x =
      residual.defined() ? residual.clone(at::MemoryFormat::Contiguous) : at::zeros_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "layer_norm_grad_x", [&] {
    const scalar_t* grad = grad_y.const_data_ptr<scalar_t>();
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const scalar_t* scale = w.const_data_ptr<scalar_t>();
    const StatsOfRows<scalar_t> of(stats);
    scalar_t* out = grad_x.mutable_data_ptr<scalar_t>();
    for_rows(rows, width, [&](int64_t row) {
      const int64_t at = row * width;
      grad_x_row(out + at, grad + at, in + at, scale, of[row], width);
    });
  });
  return grad_x;
}

at::Tensor layer_norm_grad_w(const at::Tensor& grad_y, const at::Tensor& x,
                             const LayerNormStats& stats) {
  const int64_t rows = x.size(0), width = x.size(1);
  at::Tensor sum;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "layer_norm_grad_w", [&] {
    const scalar_t* grad = grad_y.const_data_ptr<scalar_t>();
    const scalar_t* in = x.const_data_ptr<scalar_t>();
    const StatsOfRows<scalar_t> of(stats);
    sum = sum_over_rows<scalar_t>(rows, width, x.options(), [&](scalar_t* into, int64_t row) {
      add_grad_w_row(into, grad + row * width, in + row * width, of[row], width);
    });
  });
  return sum;
}

LayerNormed layer_norm_forward(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                               double eps) {
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_layer_norm(*kernels, x, {w, b}, eps);
  }
  const LayerNormStats stats = layer_norm_stats(x, eps);
  return {layer_norm_apply(x, w, b, stats), stats};
}

at::Tensor layer_norm_again(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                            const LayerNormStats& stats, double eps) {
  if (const KernelTable* const kernels = kernels_for(x)) {
    return device_layer_norm(*kernels, x, {w, b}, eps).y;  // one sweep; stats cost it nothing
  }
  return layer_norm_apply(x, w, b, stats);
}

LayerNormGrads layer_norm_backward(const at::Tensor& grad_y, const LayerNormGradient& norm) {
  if (const KernelTable* const kernels = kernels_for(norm.x)) {
    return device_layer_norm_backward(*kernels, grad_y, norm);
  }
  LayerNormGrads grads;
  if (norm.is_weight_wanted) {
    grads.w = layer_norm_grad_w(grad_y, norm.x, norm.stats);
  }
  if (norm.is_bias_wanted) {
    grads.b = grad_y.sum(0);
  }
  grads.x = layer_norm_grad_x(grad_y, norm.x, norm.w, norm.stats, norm.residual);
  return grads;
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, double eps) {
  return LayerNormFunction::apply(x, w, b, eps);
}

at::Tensor layer_norm_ref(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b,
                          double eps) {
  const at::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
  const at::Tensor variance = centred.square().mean(-1, /*keepdim=*/true);
  return centred * (variance + eps).rsqrt() * w + b;
}

}  // namespace plumb
