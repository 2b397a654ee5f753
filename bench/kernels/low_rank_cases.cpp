// LoRA's updates: two adapters in one launch, without dropout (whose masks tests compare).
#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

struct Shape {
  int64_t rows, in_width, out_width, rank;
};
// q of SmolLM2-135M, of Llama 3.2 1B (its output cut to an eighth), and an odd one.
constexpr Shape kShapes[] = {{64, 576, 576, 16}, {64, 2048, 256, 16}, {37, 131, 77, 5}};
constexpr double kScale = 2.0;

// x, y, then a and b of each adapter; the first has the first half of the rows.
KernelCase case_of(const char* kernel, const Shape& shape, at::ScalarType dtype) {
  KernelCase one{.kernel = kernel,
                 .shape = by({shape.rows, shape.in_width, shape.out_width}) + ", rank " +
                          std::to_string(shape.rank),
                 .dtype = dtype,
                 .bound = Bound::arithmetic,
                 .growth = 8192.0 / static_cast<double>(shape.rows),
                 .predicted_for = "8192 tokens"};
  one.inputs = {normal({shape.rows, shape.in_width}, dtype, 210),
                normal({shape.rows, shape.out_width}, dtype, 211)};
  for (uint64_t adapter = 0; adapter < 2; ++adapter) {
    one.inputs.push_back(normal({shape.rank, shape.in_width}, dtype, 214 + adapter, 0.05));
    one.inputs.push_back(normal({shape.out_width, shape.rank}, dtype, 216 + adapter, 0.05));
  }
  one.floor = bytes_of(one.inputs) + bytes_of(one.inputs[1]);
  one.flops = 2.0 * static_cast<double>(shape.rows * shape.rank) *
              static_cast<double>(shape.in_width + shape.out_width);
  return one;
}

at::Tensor update(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b) {
  return kScale * at::linear(at::linear(x, a), b);
}

std::vector<int64_t> bounds(const Shape& shape) {
  return {0, shape.rows / 2, shape.rows};
}

// y + scale (x A^T) B^T, an adapter at a time.
at::Tensor updated(const Shape& shape, const Tensors& in) {
  Tensors rows;
  for (int64_t g = 0; g < 2; ++g) {
    const auto part = [&](const at::Tensor& x) {
      return x.slice(0, bounds(shape)[g], bounds(shape)[g + 1]);
    };
    rows.push_back(part(in[1]) + update(part(in[0]), in[2 + 2 * g], in[3 + 2 * g]));
  }
  return at::cat(rows);
}

// Groups on the device, with what they point at.
struct Groups {
  LowRankGroups of;
  at::Tensor groups;
  Tensors narrow, grads;
};

// given: x A^T of each adapter, for the backward, which wants gradients; or nothing.
Groups groups_of(const Shape& shape, const Tensors& in, const Place& place, const Tensors& given) {
  const at::ScalarType dtype = in[0].scalar_type();
  Groups made;
  std::vector<LowRankGroup> host;
  for (int64_t g = 0; g < 2; ++g) {
    const int64_t begin = bounds(shape)[g], end = bounds(shape)[g + 1];
    made.narrow.push_back(given.empty() ? place.empty({end - begin, shape.rank}, dtype) : given[g]);
    made.narrow.push_back(place.empty({end - begin, shape.rank}, dtype));
    LowRankGroup group{.begin = begin,
                       .end = end,
                       .out_width = shape.out_width,
                       .rank = shape.rank,
                       .a = in[2 + 2 * g].data_ptr(),
                       .b = in[3 + 2 * g].data_ptr(),
                       .narrow = made.narrow[2 * g].data_ptr(),
                       .grad_narrow = made.narrow[2 * g + 1].data_ptr(),
                       .scale = kScale};
    if (!given.empty()) {
      made.grads.push_back(place.empty(in[2 + 2 * g].sizes(), dtype));
      made.grads.push_back(place.empty(in[3 + 2 * g].sizes(), dtype));
      group.grad_a = made.grads[2 * g].data_ptr();
      group.grad_b = made.grads[2 * g + 1].data_ptr();
    }
    host.push_back(group);
  }
  made.groups = place.put(at::from_blob(host.data(),
                                        {static_cast<int64_t>(host.size() * sizeof(LowRankGroup))},
                                        at::dtype(at::kByte)));
  made.of = {.groups = reinterpret_cast<const LowRankGroup*>(made.groups.data_ptr()),
             .count = 2,
             .max_rows = shape.rows - shape.rows / 2,
             .max_rank = shape.rank,
             .max_out = shape.out_width,
             .in_width = shape.in_width,
             .dtype = kernel_dtype_of(in[0])};
  return made;
}

KernelCase forward(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("low_rank_forward", shape, dtype);
  one.aten = [shape](const Tensors& in) -> Tensors { return {updated(shape, in)}; };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const Groups groups = groups_of(shape, in, place, {});
    const LowRankForward op{.of = groups.of,
                            .x = in[0].data_ptr(),
                            .y = in[1].data_ptr(),
                            .x_stride = shape.in_width,
                            .y_stride = shape.out_width};
    return {[&table, op, groups] { table.low_rank_forward(op, nullptr); }, {in[1]}};
  };
  return one;
}

// inputs[1] is the gradient of y here; then the gradient of x so far, then x A^T of each adapter.
KernelCase backward(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("low_rank_backward", shape, dtype);
  one.inputs.push_back(normal({shape.rows, shape.in_width}, dtype, 213));
  one.floor = bytes_of(one.inputs) + bytes_of(one.inputs[6]);
  for (int64_t g = 0; g < 2; ++g) {
    const at::Tensor narrow = at::linear(
        one.inputs[0].slice(0, bounds(shape)[g], bounds(shape)[g + 1]), one.inputs[2 + 2 * g]);
    one.inputs.push_back(narrow);
    one.floor +=
        bytes_of(narrow) + bytes_of(one.inputs[2 + 2 * g]) + bytes_of(one.inputs[3 + 2 * g]);
  }
  one.flops *= 2;
  one.aten = [shape](const Tensors& in) -> Tensors {
    const auto f = [&](const Tensors& x) {
      return updated(shape, {x[0], at::zeros_like(in[1]), x[1], x[2], x[3], x[4]});
    };
    Tensors grads = gradients(f, {in[0], in[2], in[3], in[4], in[5]}, in[1]);
    grads[0] = grads[0] + in[6];
    return grads;
  };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const Groups groups = groups_of(shape, in, place, {in[7], in[8]});
    const LowRankGradients op{.of = groups.of,
                              .x = in[0].data_ptr(),
                              .grad_y = in[1].data_ptr(),
                              .grad_x = in[6].data_ptr(),
                              .x_stride = shape.in_width,
                              .grad_y_stride = shape.out_width,
                              .grad_x_stride = shape.in_width};
    return {[&table, op, groups] { table.low_rank_backward(op, nullptr); },
            {in[6], groups.grads[0], groups.grads[1], groups.grads[2], groups.grads[3]}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> low_rank_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Shape shape : kShapes) {
      shape.rows = size == Size::model ? 8192 : shape.rows;
      cases.push_back(forward(shape, dtype));
      cases.push_back(backward(shape, dtype));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
