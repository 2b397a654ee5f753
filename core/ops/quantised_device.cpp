#include "core/ops/quantised_device.h"

#include <algorithm>

#include "core/ops/dynamic_map.h"

namespace plumb {
namespace {

Int8Weight raw(const Int8Tensors& w) {
  return {w.codes.mutable_data_ptr<int8_t>(), w.absmax.mutable_data_ptr<float>()};
}

Nf4Weight raw(const Nf4Tensors& w) {
  return {.codes = w.codes.mutable_data_ptr<uint8_t>(),
          .scale_codes = w.scale_codes.mutable_data_ptr<uint8_t>(),
          .scale_absmax = w.scale_absmax.mutable_data_ptr<float>(),
          .offset = w.offset.mutable_data_ptr<float>(),
          .dynamic_map = w.dynamic_map.const_data_ptr<float>(),
          .count = w.out_width * w.in_width};
}

// Rows of x a launch at a time.   launch(op): of these rows
template <class Launch>
at::Tensor in_few_rows(const at::Tensor& x, int64_t out_width, const Launch& launch) {
  const at::Tensor y = at::empty({x.size(0), out_width}, x.options());
  for (int64_t row = 0; row < x.size(0); row += kMostGemvRows) {
    const int64_t rows = std::min(kMostGemvRows, x.size(0) - row);
    launch(QuantisedGemv{.y = y.narrow(0, row, rows).mutable_data_ptr(),
                         .x = x.narrow(0, row, rows).const_data_ptr(),
                         .rows = rows,
                         .in_width = x.size(1),
                         .out_width = out_width,
                         .dtype = kernel_dtype(x)});
  }
  return y;
}

at::Tensor dequantised(const KernelTable& kernels, const Nf4Tensors& w, const at::Tensor& like) {
  const at::Tensor out = at::empty({w.out_width, w.in_width}, like.options());
  kernels.nf4_dequantise(
      {.out = out.mutable_data_ptr(), .from = raw(w), .dtype = kernel_dtype(like)},
      stream_of(like));
  return out;
}

}  // namespace

Int8Tensors device_int8(const KernelTable& kernels, const at::Tensor& weight) {
  const at::Tensor dense = weight.detach().contiguous();
  const int64_t rows = dense.size(0), width = dense.size(1);
  Int8Tensors made{at::empty({rows, width}, dense.options().dtype(at::kChar)),
                   at::empty({rows}, dense.options().dtype(at::kFloat))};
  kernels.int8_quantise({.to = raw(made),
                         .weight = dense.const_data_ptr(),
                         .rows = rows,
                         .width = width,
                         .dtype = kernel_dtype(dense)},
                        stream_of(dense));
  return made;
}

Nf4Tensors device_nf4(const KernelTable& kernels, const at::Tensor& weight) {
  const at::Tensor dense = weight.detach().contiguous();
  const int64_t count = dense.numel(), blocks = nf4_blocks(count);
  const auto bytes = dense.options().dtype(at::kByte), f32 = dense.options().dtype(at::kFloat);
  const auto map = dynamic_map(true);
  Nf4Tensors made{
      .codes = at::empty({(count + 1) / 2}, bytes),
      .scale_codes = at::empty({blocks}, bytes),
      .scale_absmax = at::empty({(blocks + kNf4ScaleBlock - 1) / kNf4ScaleBlock}, f32),
      .offset = at::empty({1}, f32),
      .dynamic_map = at::tensor(at::ArrayRef<float>(map), at::kFloat).to(dense.device()),
      .out_width = dense.size(0),
      .in_width = dense.size(1)};
  const at::Tensor absmax = at::empty({blocks}, f32);
  const at::Tensor partial = at::empty({nf4_scratch(count)}, dense.options().dtype(at::kDouble));
  kernels.nf4_quantise({.to = raw(made),
                        .absmax = absmax.mutable_data_ptr<float>(),
                        .partial = partial.mutable_data_ptr<double>(),
                        .weight = dense.const_data_ptr(),
                        .dtype = kernel_dtype(dense)},
                       stream_of(dense));
  return made;
}

at::Tensor device_product(const KernelTable& kernels, const at::Tensor& x, const Int8Tensors& w) {
  if (x.size(0) > kFewRows) {
    const at::Tensor scales = (w.absmax / 127.0).unsqueeze(1);
    return at::mm(x, w.codes.to(at::kFloat).mul_(scales).to(x.scalar_type()).t());
  }
  return in_few_rows(x, w.codes.size(0),
                     [&](const QuantisedGemv& op) { kernels.int8_gemv(op, raw(w), stream_of(x)); });
}

at::Tensor device_product(const KernelTable& kernels, const at::Tensor& x, const Nf4Tensors& w) {
  if (x.size(0) > kFewRows) {
    return at::mm(x, dequantised(kernels, w, x).t());
  }
  return in_few_rows(x, w.out_width,
                     [&](const QuantisedGemv& op) { kernels.nf4_gemv(op, raw(w), stream_of(x)); });
}

}  // namespace plumb
