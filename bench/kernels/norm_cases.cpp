// RMSNorm, LayerNorm, and RMSNorm over heads.
#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

constexpr double kEps = 1e-5;
constexpr int64_t kModelTokens = 8192;  // of a training step

struct Shape {
  int64_t rows, width;
};
// Widths of a tiny model, SmolLM2-135M, Llama 3.2 1B and Llama 3 8B, and an odd one.
constexpr Shape kShapes[] = {{32, 256}, {24, 576}, {8, 2048}, {4, 4096}, {8, 577}};

KernelCase case_of(const char* kernel, const Shape& shape, at::ScalarType dtype) {
  return {.kernel = kernel,
          .shape = by({shape.rows, shape.width}),
          .dtype = dtype,
          .growth = static_cast<double>(kModelTokens) / static_cast<double>(shape.rows),
          .predicted_for = std::to_string(kModelTokens) + " tokens"};
}

at::Tensor rms_normed(const Tensors& in) {  // x, w
  return at::rms_norm(in[0], {in[0].size(-1)}, in[1], kEps);
}
at::Tensor layer_normed(const Tensors& in) {  // x, w, b
  return at::layer_norm(in[0], {in[0].size(-1)}, in[1], in[2], kEps);
}

at::Tensor rstd_of(const at::Tensor& x) {
  return (widened(x).square().mean(-1) + kEps).rsqrt();
}

KernelCase rms_forward(const Shape& shape, at::ScalarType dtype, bool with_residual) {
  KernelCase one =
      case_of(with_residual ? "rms_norm_forward +residual" : "rms_norm_forward", shape, dtype);
  one.inputs = {normal({shape.rows, shape.width}, dtype, 1, 2.0), normal({shape.width}, dtype, 2)};
  if (with_residual) {
    one.inputs.push_back(normal({shape.rows, shape.width}, dtype, 3));
  }
  one.floor = (with_residual ? 4 : 2) * bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]) +
              static_cast<double>(shape.rows * 4);
  one.aten = [with_residual](const Tensors& in) -> Tensors {
    if (!with_residual) {
      return {rms_normed(in)};
    }
    const at::Tensor sum = in[0] + in[2];
    return {rms_normed({sum, in[1]}), sum};
  };
  one.prepare = [shape, with_residual](const KernelTable& table, const Tensors& in,
                                       const Place& place) -> Prepared {
    const at::Tensor y = place.empty(in[0].sizes(), in[0].scalar_type()),
                     rstd = place.empty({shape.rows}, at::kFloat);
    Tensors outputs{y};
    if (with_residual) {
      outputs.push_back(place.empty(in[0].sizes(), in[0].scalar_type()));
    }
    const RmsNormForward op{.y = y.data_ptr(),
                            .rstd = rstd.data_ptr<float>(),
                            .sum = with_residual ? outputs[1].data_ptr() : nullptr,
                            .x = in[0].data_ptr(),
                            .residual = with_residual ? in[2].data_ptr() : nullptr,
                            .w = in[1].data_ptr(),
                            .rows = shape.rows,
                            .width = shape.width,
                            .eps = kEps,
                            .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, rstd] { table.rms_norm_forward(op, nullptr); }, outputs};
  };
  return one;
}

KernelCase rms_backward(const Shape& shape, at::ScalarType dtype, bool with_weight) {
  KernelCase one =
      case_of(with_weight ? "rms_norm_backward +weight" : "rms_norm_backward", shape, dtype);
  one.inputs = {normal({shape.rows, shape.width}, dtype, 1, 2.0), normal({shape.width}, dtype, 2),
                normal({shape.rows, shape.width}, dtype, 4)};
  one.inputs.push_back(rstd_of(one.inputs[0]));
  one.floor = 3 * bytes_of(one.inputs[0]) + (with_weight ? 2 : 1) * bytes_of(one.inputs[1]) +
              bytes_of(one.inputs[3]);
  one.aten = [with_weight](const Tensors& in) {
    Tensors grads = gradients(rms_normed, {in[0], in[1]}, in[2]);
    grads.resize(with_weight ? 2 : 1);
    return grads;
  };
  one.prepare = [shape, with_weight](const KernelTable& table, const Tensors& in,
                                     const Place& place) -> Prepared {
    Tensors outputs{place.empty(in[0].sizes(), in[0].scalar_type())};
    at::Tensor partial;
    if (with_weight) {
      outputs.push_back(place.empty(in[1].sizes(), in[1].scalar_type()));
      partial = place.empty({norm_partials(shape.rows), shape.width}, at::kFloat);
    }
    const RmsNormBackward op{.grad_x = outputs[0].data_ptr(),
                             .grad_y = in[2].data_ptr(),
                             .x = in[0].data_ptr(),
                             .w = in[1].data_ptr(),
                             .rstd = in[3].data_ptr<float>(),
                             .grad_w = with_weight ? outputs[1].data_ptr() : nullptr,
                             .partial = with_weight ? partial.data_ptr<float>() : nullptr,
                             .rows = shape.rows,
                             .width = shape.width,
                             .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, partial] { table.rms_norm_backward(op, nullptr); }, outputs};
  };
  return one;
}

KernelCase layer_forward(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("layer_norm_forward", shape, dtype);
  one.inputs = {normal({shape.rows, shape.width}, dtype, 1, 2.0), normal({shape.width}, dtype, 2),
                normal({shape.width}, dtype, 3)};
  one.floor = 2 * bytes_of(one.inputs[0]) + 2 * bytes_of(one.inputs[1]) +
              static_cast<double>(shape.rows * 8);
  one.aten = [](const Tensors& in) -> Tensors { return {layer_normed(in)}; };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor y = place.empty(in[0].sizes(), in[0].scalar_type()),
                     mean = place.empty({shape.rows}, at::kFloat),
                     rstd = place.empty({shape.rows}, at::kFloat);
    const LayerNormForward op{.y = y.data_ptr(),
                              .mean = mean.data_ptr<float>(),
                              .rstd = rstd.data_ptr<float>(),
                              .x = in[0].data_ptr(),
                              .w = in[1].data_ptr(),
                              .b = in[2].data_ptr(),
                              .rows = shape.rows,
                              .width = shape.width,
                              .eps = kEps,
                              .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, mean, rstd] { table.layer_norm_forward(op, nullptr); }, {y}};
  };
  return one;
}

KernelCase layer_backward(const Shape& shape, at::ScalarType dtype, bool with_weight) {
  KernelCase one =
      case_of(with_weight ? "layer_norm_backward +weight" : "layer_norm_backward", shape, dtype);
  const at::Tensor x = normal({shape.rows, shape.width}, dtype, 1, 2.0);
  one.inputs = {x,
                normal({shape.width}, dtype, 2),
                normal({shape.width}, dtype, 3),
                normal({shape.rows, shape.width}, dtype, 4),
                widened(x).mean(-1),
                (widened(x).var(-1, false) + kEps).rsqrt()};
  one.floor = 3 * bytes_of(x) + (with_weight ? 3 : 1) * bytes_of(one.inputs[1]) +
              static_cast<double>(shape.rows * 8);
  one.aten = [with_weight](const Tensors& in) {
    Tensors grads = gradients(layer_normed, {in[0], in[1], in[2]}, in[3]);
    grads.resize(with_weight ? 3 : 1);
    return grads;
  };
  one.prepare = [shape, with_weight](const KernelTable& table, const Tensors& in,
                                     const Place& place) -> Prepared {
    const at::ScalarType dtype = in[0].scalar_type();
    Tensors outputs{place.empty(in[0].sizes(), dtype)};
    at::Tensor partial;
    if (with_weight) {
      outputs.push_back(place.empty({shape.width}, dtype));
      outputs.push_back(place.empty({shape.width}, dtype));
      partial = place.empty({2, norm_partials(shape.rows), shape.width}, at::kFloat);
    }
    const LayerNormBackward op{.grad_x = outputs[0].data_ptr(),
                               .grad_y = in[3].data_ptr(),
                               .x = in[0].data_ptr(),
                               .w = in[1].data_ptr(),
                               .mean = in[4].data_ptr<float>(),
                               .rstd = in[5].data_ptr<float>(),
                               .grad_w = with_weight ? outputs[1].data_ptr() : nullptr,
                               .grad_b = with_weight ? outputs[2].data_ptr() : nullptr,
                               .partial = with_weight ? partial.data_ptr<float>() : nullptr,
                               .rows = shape.rows,
                               .width = shape.width,
                               .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, partial] { table.layer_norm_backward(op, nullptr); }, outputs};
  };
  return one;
}

struct Heads {
  int64_t rows, heads, head_dim;
};
// Query heads of Qwen 3 0.6B and 8B, Gemma 3's wide ones, and odd ones in both ways of holding
// them.
constexpr Heads kHeads[] = {{8, 16, 128}, {4, 32, 128}, {8, 4, 256}, {8, 3, 77}, {4, 3, 261}};

KernelCase head_case(const char* kernel, const Heads& shape, at::ScalarType dtype) {
  KernelCase one = case_of(kernel, {shape.rows, shape.heads * shape.head_dim}, dtype);
  one.shape = by({shape.rows, shape.heads, shape.head_dim});
  one.inputs = {normal({shape.rows, shape.heads, shape.head_dim}, dtype, 1, 2.0),
                normal({shape.head_dim}, dtype, 2)};
  return one;
}

KernelCase head_forward(const Heads& shape, at::ScalarType dtype) {
  KernelCase one = head_case("head_norm_forward", shape, dtype);
  one.floor = 2 * bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]);
  one.aten = [](const Tensors& in) -> Tensors { return {rms_normed(in)}; };
  one.prepare = [shape](const KernelTable& table, const Tensors& in, const Place&) -> Prepared {
    const int64_t stride = shape.heads * shape.head_dim;
    const HeadNormForward op{.y = in[0].data_ptr(),
                             .x = in[0].data_ptr(),
                             .w = in[1].data_ptr(),
                             .rows = shape.rows,
                             .heads = shape.heads,
                             .head_dim = shape.head_dim,
                             .y_stride = stride,
                             .x_stride = stride,
                             .eps = kEps,
                             .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.head_norm_forward(op, nullptr); }, {in[0]}};
  };
  return one;
}

KernelCase head_backward(const Heads& shape, at::ScalarType dtype, bool with_weight) {
  KernelCase one =
      head_case(with_weight ? "head_norm_backward +weight" : "head_norm_backward", shape, dtype);
  one.inputs.push_back(normal({shape.rows, shape.heads, shape.head_dim}, dtype, 3));
  one.floor = 3 * bytes_of(one.inputs[0]) + (with_weight ? 2 : 1) * bytes_of(one.inputs[1]);
  one.aten = [with_weight](const Tensors& in) {
    Tensors grads = gradients(rms_normed, {in[0], in[1]}, in[2]);
    grads.resize(with_weight ? 2 : 1);
    return grads;
  };
  one.prepare = [shape, with_weight](const KernelTable& table, const Tensors& in,
                                     const Place& place) -> Prepared {
    Tensors outputs{in[2]};
    at::Tensor partial;
    if (with_weight) {
      outputs.push_back(place.empty({shape.head_dim}, in[0].scalar_type()));
      partial = place.empty({head_norm_partials(shape.rows), shape.head_dim}, at::kFloat);
    }
    const int64_t stride = shape.heads * shape.head_dim;
    const HeadNormBackward op{.grad = in[2].data_ptr(),
                              .x = in[0].data_ptr(),
                              .w = in[1].data_ptr(),
                              .grad_w = with_weight ? outputs[1].data_ptr() : nullptr,
                              .partial = with_weight ? partial.data_ptr<float>() : nullptr,
                              .rows = shape.rows,
                              .heads = shape.heads,
                              .head_dim = shape.head_dim,
                              .grad_stride = stride,
                              .x_stride = stride,
                              .eps = kEps,
                              .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, partial] { table.head_norm_backward(op, nullptr); }, outputs};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> norm_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Shape shape : kShapes) {
      shape.rows = size == Size::model ? kModelTokens : shape.rows;
      cases.push_back(rms_forward(shape, dtype, false));
      cases.push_back(rms_forward(shape, dtype, true));
      cases.push_back(rms_backward(shape, dtype, false));
      cases.push_back(layer_forward(shape, dtype));
      cases.push_back(layer_backward(shape, dtype, false));
    }
    // Partial sums of the weight's gradient are as many for few rows as for many: all rows of a
    // step.
    for (const int64_t width : {256, 77}) {
      cases.push_back(rms_backward({kModelTokens, width}, dtype, true));
      cases.push_back(layer_backward({kModelTokens, width}, dtype, true));
    }
    for (const int64_t head_dim : {64, 33}) {
      cases.push_back(head_backward({kModelTokens, 4, head_dim}, dtype, true));
    }
    for (Heads shape : kHeads) {
      shape.rows = size == Size::model ? kModelTokens : shape.rows;
      cases.push_back(head_forward(shape, dtype));
      cases.push_back(head_backward(shape, dtype, false));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
