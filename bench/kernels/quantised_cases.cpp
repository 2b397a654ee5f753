// NF4 with double quantisation, int8, and products with such weights.
#include "bench/kernels/kernel_case.h"
#include "core/ops/dynamic_map.h"

namespace plumb::kernels {
namespace {

struct Shape {
  int64_t rows, in_width, out_width;
};
// Rows of SmolLM2-135M's, Llama 3.2 1B's and Llama 3 8B's q, few outputs of each; an odd one.
constexpr Shape kShapes[] = {
    {1, 576, 256}, {8, 576, 128}, {1, 2048, 64}, {4, 4096, 32}, {3, 577, 33}};

// NF4's 16 values (Dettmers et al. 2023, appendix E; bitsandbytes).
constexpr double kNf4[] = {-1.0,
                           -0.6961928009986877,
                           -0.5250730514526367,
                           -0.39491748809814453,
                           -0.28444138169288635,
                           -0.18477343022823334,
                           -0.09105003625154495,
                           0.0,
                           0.07958029955625534,
                           0.16093020141124725,
                           0.24611230194568634,
                           0.33791524171829224,
                           0.44070982933044434,
                           0.5626170039176941,
                           0.7229568362236023,
                           1.0};

at::Tensor nf4_table(const at::Tensor& like) {
  return at::tensor(at::ArrayRef<double>(kNf4, 16), at::dtype(at::kDouble)).to(like.options());
}
at::Tensor signed_map() {
  const auto map = dynamic_map(true);
  return at::tensor(at::ArrayRef<float>(map.data(), map.size()), at::dtype(at::kFloat));
}

// Blocks of 64, the last filled with zeros.
at::Tensor in_blocks(const at::Tensor& flat) {
  const int64_t short_of = (kNf4Block - flat.numel() % kNf4Block) % kNf4Block;
  return at::constant_pad_nd(flat, {0, short_of}).view({-1, kNf4Block});
}

at::Tensor nearest(const at::Tensor& x, const at::Tensor& ascending) {
  const at::Tensor middles = (ascending.slice(0, 1) + ascending.slice(0, 0, -1)) / 2;
  return at::bucketize(x, middles);
}

// Scale of each block, and each value's code.
Tensors nf4_quantised(const Tensors& in) {
  const at::Tensor blocks = in_blocks(widened(in[0]).view({-1}));
  const at::Tensor absmax = blocks.abs().amax(-1);
  const at::Tensor codes = nearest(blocks / absmax.unsqueeze(-1), nf4_table(blocks));
  return {absmax, codes.view({-1}).slice(0, 0, in[0].numel())};
}

at::Tensor packed(const at::Tensor& codes) {  // the earlier in the high half
  const at::Tensor even = at::constant_pad_nd(codes, {0, codes.numel() % 2}).view({-1, 2});
  return (even.select(1, 0) * 16 + even.select(1, 1)).to(at::kByte);
}
at::Tensor unpacked(const at::Tensor& bytes, int64_t count) {
  const at::Tensor wide = bytes.to(at::kLong);
  return at::stack({at::div(wide, 16, "floor"), wide.remainder(16)}, -1)
      .view({-1})
      .slice(0, 0, count);
}

// codes, scale codes, scale absmax, offset, map
Tensors nf4_arrays(const at::Tensor& weight) {
  const Tensors quantised = nf4_quantised({weight.view({-1})});
  const at::Tensor absmax = quantised[0].to(at::kFloat), offset = absmax.mean().view({1});
  const at::Tensor rest = absmax - offset;
  const int64_t blocks = rest.numel();
  const int64_t short_of = (kNf4ScaleBlock - blocks % kNf4ScaleBlock) % kNf4ScaleBlock;
  const at::Tensor grouped = at::constant_pad_nd(rest, {0, short_of}).view({-1, kNf4ScaleBlock});
  const at::Tensor scale_absmax = grouped.abs().amax(-1);
  const at::Tensor scale_codes =
      nearest(grouped / scale_absmax.unsqueeze(-1), signed_map()).view({-1}).slice(0, 0, blocks);
  return {packed(quantised[1]), scale_codes.to(at::kByte).contiguous(), scale_absmax, offset,
          signed_map()};
}

// in[at...]: as nf4_arrays. The scales' precision follows `like`.
at::Tensor nf4_values(const Tensors& in, size_t at, int64_t count, const at::Tensor& like) {
  const auto options = widened(like).options();
  const at::Tensor blocks = at::arange(count, at::dtype(at::kLong).device(like.device()));
  const at::Tensor block = at::div(blocks, kNf4Block, "floor");
  const at::Tensor map = in[at + 4].to(options), scale_absmax = in[at + 2].to(options);
  const at::Tensor scales =
      map.index_select(0, in[at + 1].to(at::kLong)) *
          scale_absmax.repeat_interleave(kNf4ScaleBlock).slice(0, 0, in[at + 1].numel()) +
      in[at + 3].to(options);
  return nf4_table(widened(like)).index_select(0, unpacked(in[at], count)) *
         scales.index_select(0, block);
}

Nf4Weight nf4_weight(const Tensors& in, size_t at, int64_t count) {
  return {.codes = in[at].data_ptr<uint8_t>(),
          .scale_codes = in[at + 1].data_ptr<uint8_t>(),
          .scale_absmax = in[at + 2].data_ptr<float>(),
          .offset = in[at + 3].data_ptr<float>(),
          .dynamic_map = in[at + 4].data_ptr<float>(),
          .count = count};
}

KernelCase weight_case(const char* kernel, const Shape& shape, at::ScalarType dtype) {
  KernelCase one{.kernel = kernel,
                 .shape = by({shape.out_width, shape.in_width}),
                 .dtype = dtype,
                 .growth = 4096 / static_cast<double>(shape.out_width),
                 .predicted_for = "4096 outputs"};
  one.inputs = {normal({shape.out_width, shape.in_width}, dtype, 190, 0.02)};
  return one;
}

KernelCase nf4_quantise(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = weight_case("nf4_quantise", shape, dtype);
  one.inputs.push_back(signed_map());
  const int64_t count = one.inputs[0].numel();
  const Tensors arrays = nf4_arrays(one.inputs[0]);
  one.floor = bytes_of(one.inputs[0]) + bytes_of(arrays);
  one.aten = nf4_quantised;
  one.prepare = [count](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const int64_t blocks = nf4_blocks(count);
    const at::Tensor codes = place.empty({(count + 1) / 2}, at::kByte),
                     absmax = place.empty({blocks}, at::kFloat);
    const Tensors arrays{codes, place.empty({blocks}, at::kByte),
                         place.empty({(blocks + kNf4ScaleBlock - 1) / kNf4ScaleBlock}, at::kFloat),
                         place.empty({1}, at::kFloat), in[1]};
    const at::Tensor partial = place.empty({nf4_scratch(count)}, at::kDouble);
    const Nf4Quantise op{.to = nf4_weight(arrays, 0, count),
                         .absmax = absmax.data_ptr<float>(),
                         .partial = partial.data_ptr<double>(),
                         .weight = in[0].data_ptr(),
                         .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, arrays, partial] { table.nf4_quantise(op, nullptr); }, {absmax, codes}};
  };
  one.read_output = [count](size_t output, const at::Tensor& written) {
    return output == 1 ? unpacked(written, count) : written;
  };
  return one;
}

KernelCase nf4_dequantise(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = weight_case("nf4_dequantise", shape, dtype);
  const at::Tensor weight = one.inputs[0];
  const int64_t count = weight.numel();
  one.inputs = nf4_arrays(weight);
  one.inputs.push_back(at::zeros({1}, dtype));  // whose dtype the values get
  one.floor = bytes_of(nf4_arrays(weight)) + bytes_of(weight);
  one.aten = [count](const Tensors& in) -> Tensors {
    return {nf4_values(in, 0, count, in[5]).to(in[5].scalar_type())};
  };
  one.prepare = [count](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor out = place.empty({count}, in[5].scalar_type());
    const Nf4Dequantise op{
        .out = out.data_ptr(), .from = nf4_weight(in, 0, count), .dtype = kernel_dtype_of(in[5])};
    return {[&table, op] { table.nf4_dequantise(op, nullptr); }, {out}};
  };
  return one;
}

KernelCase gemv_case(const char* kernel, const Shape& shape, at::ScalarType dtype) {
  KernelCase one = weight_case(kernel, shape, dtype);
  one.shape = std::to_string(shape.rows) + " rows, " + one.shape;
  one.inputs = {normal({shape.rows, shape.in_width}, dtype, 200)};
  one.flops = 2.0 * static_cast<double>(shape.rows * shape.in_width * shape.out_width);
  return one;
}

QuantisedGemv gemv_of(const Shape& shape, const Tensors& in, const at::Tensor& y) {
  return {.y = y.data_ptr(),
          .x = in[0].data_ptr(),
          .rows = shape.rows,
          .in_width = shape.in_width,
          .out_width = shape.out_width,
          .dtype = kernel_dtype_of(in[0])};
}

KernelCase nf4_gemv(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = gemv_case("nf4_gemv", shape, dtype);
  const at::Tensor weight = normal({shape.out_width, shape.in_width}, dtype, 190, 0.02);
  const Tensors arrays = nf4_arrays(weight);
  one.floor = bytes_of(one.inputs[0]) + bytes_of(arrays) +
              static_cast<double>(shape.rows * shape.out_width) * one.inputs[0].itemsize();
  one.inputs.insert(one.inputs.end(), arrays.begin(), arrays.end());
  // The weight is what dequantising gives, rounded to the dtype: both multiply by these values.
  one.inputs.push_back(nf4_values(arrays, 0, weight.numel(), at::zeros({1}))
                           .to(dtype)
                           .view({shape.out_width, shape.in_width}));
  one.aten = [](const Tensors& in) -> Tensors { return {at::linear(in[0], in[6])}; };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor y = place.empty({shape.rows, shape.out_width}, in[0].scalar_type());
    const QuantisedGemv op = gemv_of(shape, in, y);
    const Nf4Weight of = nf4_weight(in, 1, shape.in_width * shape.out_width);
    return {[&table, op, of] { table.nf4_gemv(op, of, nullptr); }, {y}};
  };
  return one;
}

// codes, absmax
Tensors int8_quantised(const Tensors& in) {
  const at::Tensor weight = widened(in[0]), absmax = weight.abs().amax(-1);
  return {(weight * (127.0 / absmax).unsqueeze(-1)).round(), absmax};
}

KernelCase int8_quantise(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = weight_case("int8_quantise", shape, dtype);
  one.floor = bytes_of(one.inputs[0]) + static_cast<double>(one.inputs[0].numel()) +
              static_cast<double>(shape.out_width * 4);
  one.aten = int8_quantised;
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor codes = place.empty({shape.out_width, shape.in_width}, at::kChar),
                     absmax = place.empty({shape.out_width}, at::kFloat);
    const Int8Quantise op{.to = {codes.data_ptr<int8_t>(), absmax.data_ptr<float>()},
                          .weight = in[0].data_ptr(),
                          .rows = shape.out_width,
                          .width = shape.in_width,
                          .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.int8_quantise(op, nullptr); }, {codes, absmax}};
  };
  return one;
}

KernelCase int8_gemv(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = gemv_case("int8_gemv", shape, dtype);
  const Tensors weight =
      int8_quantised({normal({shape.out_width, shape.in_width}, at::kFloat, 202, 0.02)});
  one.inputs.push_back(weight[0].to(at::kChar));
  one.inputs.push_back(weight[1]);
  one.floor = bytes_of(one.inputs) +
              static_cast<double>(shape.rows * shape.out_width) * one.inputs[0].itemsize();
  one.aten = [](const Tensors& in) -> Tensors {
    const at::Tensor values = in[1].to(in[2].scalar_type()) * (in[2] / 127).unsqueeze(-1);
    return {at::linear(in[0], values.to(in[0].scalar_type()))};
  };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor y = place.empty({shape.rows, shape.out_width}, in[0].scalar_type());
    const QuantisedGemv op = gemv_of(shape, in, y);
    const Int8Weight of{in[1].data_ptr<int8_t>(), in[2].data_ptr<float>()};
    return {[&table, op, of] { table.int8_gemv(op, of, nullptr); }, {y}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> quantised_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Shape shape : kShapes) {
      shape.out_width = size == Size::model ? 4096 : shape.out_width;
      cases.push_back(nf4_quantise(shape, dtype));
      cases.push_back(nf4_dequantise(shape, dtype));
      cases.push_back(nf4_gemv(shape, dtype));
      cases.push_back(int8_quantise(shape, dtype));
      cases.push_back(int8_gemv(shape, dtype));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
