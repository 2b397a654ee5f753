// Rotary embedding, activations between an MLP's products, and the token embedding.
#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

constexpr int64_t kModelTokens = 8192, kPositions = 64;

KernelCase case_of(const char* kernel, std::initializer_list<int64_t> sizes, at::ScalarType dtype) {
  return {.kernel = kernel,
          .shape = by(sizes),
          .dtype = dtype,
          .growth = static_cast<double>(kModelTokens) / static_cast<double>(*sizes.begin()),
          .predicted_for = std::to_string(kModelTokens) + " tokens"};
}

struct Heads {
  int64_t tokens, heads, head_dim;
};
// q and k heads of SmolLM2-135M, Llama 3.2 1B, Llama 3 8B; odd halves.
constexpr Heads kHeads[] = {{24, 12, 64}, {8, 40, 64}, {8, 40, 128}, {8, 6, 18}};

// Su et al. 2021 as transformers has it: x cos + rotate_half(x) sin, tables in the model's dtype.
at::Tensor turned(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& cos,
                  const at::Tensor& sin, Turn turn) {
  const auto table = [&](const at::Tensor& half) {
    const at::Tensor at_rows = half.index_select(0, rows).to(x.scalar_type());
    return at::cat({at_rows, at_rows}, -1).unsqueeze(1);
  };
  const auto halves = x.chunk(2, -1);
  const at::Tensor rotated = at::cat({-halves[1], halves[0]}, -1);
  return turn == Turn::forward ? x * table(cos) + rotated * table(sin)
                               : x * table(cos) - rotated * table(sin);
}

KernelCase rope_case(const Heads& shape, at::ScalarType dtype, Turn turn) {
  KernelCase one = case_of(turn == Turn::forward ? "rope" : "rope backward",
                           {shape.tokens, shape.heads, shape.head_dim}, dtype);
  const int64_t half = shape.head_dim / 2;
  const at::Tensor angles =
      at::arange(kPositions, at::kDouble).unsqueeze(1) *
      at::pow(10000.0, -at::arange(half, at::kDouble) / static_cast<double>(half)).unsqueeze(0);
  one.inputs = {normal({shape.tokens, shape.heads, shape.head_dim}, dtype, 5),
                at::arange(shape.tokens, at::kLong).mul(17).add(3).remainder(kPositions),
                angles.cos().to(at::kFloat), angles.sin().to(at::kFloat)};
  // Each token has its own row of the tables here.
  one.floor =
      2 * bytes_of(one.inputs[0]) + static_cast<double>(shape.tokens * (shape.head_dim * 4 + 8));
  one.aten = [turn](const Tensors& in) -> Tensors {
    return {turned(in[0], in[1], in[2], in[3], turn)};
  };
  one.prepare = [shape, turn](const KernelTable& table, const Tensors& in,
                              const Place&) -> Prepared {
    const Rope op{.x = in[0].data_ptr(),
                  .table_rows = in[1].data_ptr<int64_t>(),
                  .cos = in[2].data_ptr<float>(),
                  .sin = in[3].data_ptr<float>(),
                  .tokens = shape.tokens,
                  .heads = shape.heads,
                  .rotary_dim = shape.head_dim,
                  .row_stride = shape.heads * shape.head_dim,
                  .head_stride = shape.head_dim,
                  .turn = turn,
                  .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.rope(op, nullptr); }, {in[0]}};
  };
  return one;
}

struct Shape {
  int64_t rows, width;
};
// F of a tiny model, SmolLM2-135M, Llama 3.2 1B and Llama 3 8B, and an odd one.
constexpr Shape kShapes[] = {{16, 768}, {16, 1536}, {4, 8192}, {2, 14336}, {5, 577}};

struct Activation {
  const char* name;
  KernelActivation kind;
  bool is_gated;
};
constexpr Activation kActivations[] = {{"swiglu", KernelActivation::silu, true},
                                       {"geglu", KernelActivation::gelu_tanh, true},
                                       {"gelu", KernelActivation::gelu, false}};

at::Tensor activated(const at::Tensor& gate_up, const Activation& by) {
  const at::Tensor gate = by.is_gated ? gate_up.chunk(2, -1)[0] : gate_up;
  const at::Tensor act = by.kind == KernelActivation::silu   ? at::silu(gate)
                         : by.kind == KernelActivation::gelu ? at::gelu(gate)
                                                             : at::gelu(gate, "tanh");
  return by.is_gated ? act * gate_up.chunk(2, -1)[1] : act;
}

KernelCase activation_forward(const Shape& shape, at::ScalarType dtype, const Activation& by) {
  KernelCase one = case_of("", {shape.rows, shape.width}, dtype);
  one.kernel = std::string("activation_forward ") + by.name;
  const int64_t columns = by.is_gated ? 2 * shape.width : shape.width;
  one.inputs = {normal({shape.rows, columns}, dtype, 7, 3.0)};
  one.floor = bytes_of(one.inputs[0]) * (by.is_gated ? 1.5 : 2.0);
  one.aten = [by](const Tensors& in) -> Tensors { return {activated(in[0], by)}; };
  one.prepare = [shape, by](const KernelTable& table, const Tensors& in,
                            const Place& place) -> Prepared {
    const at::Tensor h = place.empty({shape.rows, shape.width}, in[0].scalar_type());
    const ActivationForward op{.h = h.data_ptr(),
                               .gate_up = in[0].data_ptr(),
                               .rows = shape.rows,
                               .width = shape.width,
                               .activation = by.kind,
                               .is_gated = by.is_gated,
                               .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.activation_forward(op, nullptr); }, {h}};
  };
  return one;
}

KernelCase activation_backward(const Shape& shape, at::ScalarType dtype, const Activation& by) {
  KernelCase one = activation_forward(shape, dtype, by);
  one.kernel = std::string("activation_backward ") + by.name;
  one.inputs.push_back(normal({shape.rows, shape.width}, dtype, 8));
  one.floor = 2 * (bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]));  // h too, over grad_h
  one.aten = [by](const Tensors& in) -> Tensors {
    const auto f = [&](const Tensors& x) { return activated(x[0], by); };
    return {gradients(f, {in[0]}, in[1])[0], f(in)};
  };
  one.prepare = [shape, by](const KernelTable& table, const Tensors& in, const Place&) -> Prepared {
    const ActivationBackward op{.gate_up = in[0].data_ptr(),
                                .grad_h = in[1].data_ptr(),
                                .rows = shape.rows,
                                .width = shape.width,
                                .activation = by.kind,
                                .is_gated = by.is_gated,
                                .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.activation_backward(op, nullptr); }, {in[0], in[1]}};
  };
  return one;
}

constexpr Shape kEmbeddings[] = {{32, 256}, {24, 576}, {8, 2048}, {8, 4096}, {8, 577}};
constexpr int64_t kVocab = 40;

// Ids that come once each, so that the floor is easy to say; and ids of which some come again.
std::vector<int64_t> distinct_ids(int64_t tokens) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back((i * 7 + 3) % kVocab);
  }
  return ids;
}
std::vector<int64_t> repeated_ids(int64_t tokens) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back((i * i + 1) % 11);
  }
  return ids;
}

KernelCase embedding_forward(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("embedding_forward", {shape.rows, shape.width}, dtype);
  one.inputs = {normal({kVocab, shape.width}, dtype, 30), longs(distinct_ids(shape.rows))};
  one.floor = 2.0 * bytes_of(one.inputs[0]) / kVocab * static_cast<double>(shape.rows) +
              bytes_of(one.inputs[1]);
  one.aten = [](const Tensors& in) -> Tensors { return {at::embedding(in[0], in[1])}; };
  one.prepare = [shape](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const at::Tensor out = place.empty({shape.rows, shape.width}, in[0].scalar_type());
    const EmbeddingForward op{.out = out.data_ptr(),
                              .table = in[0].data_ptr(),
                              .ids = in[1].data_ptr<int64_t>(),
                              .tokens = shape.rows,
                              .width = shape.width,
                              .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.embedding_forward(op, nullptr); }, {out}};
  };
  return one;
}

KernelCase embedding_backward(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("embedding_backward", {shape.rows, shape.width}, dtype);
  const at::Tensor ids = longs(repeated_ids(shape.rows));
  const at::Tensor order = at::argsort(ids, /*stable=*/true);
  const auto [row_ids, inverse, counts] =
      at::unique_consecutive(ids.index_select(0, order), false, true);
  const at::Tensor segments = at::cat({longs({0}), counts.cumsum(0)});
  one.inputs = {normal({kVocab, shape.width}, dtype, 32),
                normal({shape.rows, shape.width}, dtype, 31),
                ids,
                order,
                segments,
                row_ids};
  const auto rows = row_ids.numel();
  one.floor = bytes_of(one.inputs[1]) +
              2.0 * bytes_of(one.inputs[0]) / kVocab * static_cast<double>(rows) + bytes_of(order) +
              bytes_of(segments) + bytes_of(row_ids);
  one.aten = [](const Tensors& in) -> Tensors { return {in[0].index_add(0, in[2], in[1])}; };
  one.prepare = [shape, rows](const KernelTable& table, const Tensors& in,
                              const Place&) -> Prepared {
    const EmbeddingBackward op{.grad_table = in[0].data_ptr(),
                               .grad_out = in[1].data_ptr(),
                               .order = in[3].data_ptr<int64_t>(),
                               .segments = in[4].data_ptr<int64_t>(),
                               .row_ids = in[5].data_ptr<int64_t>(),
                               .rows = rows,
                               .width = shape.width,
                               .dtype = kernel_dtype_of(in[0])};
    return {[&table, op] { table.embedding_backward(op, nullptr); }, {in[0]}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> element_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Heads shape : kHeads) {
      shape.tokens = size == Size::model ? kModelTokens : shape.tokens;
      cases.push_back(rope_case(shape, dtype, Turn::forward));
      cases.push_back(rope_case(shape, dtype, Turn::backward));
    }
    for (Shape shape : kShapes) {
      shape.rows = size == Size::model ? kModelTokens : shape.rows;
      for (const Activation& by : kActivations) {
        cases.push_back(activation_forward(shape, dtype, by));
        cases.push_back(activation_backward(shape, dtype, by));
      }
    }
    for (Shape shape : kEmbeddings) {
      shape.rows = size == Size::model ? kModelTokens : shape.rows;
      cases.push_back(embedding_forward(shape, dtype));
      cases.push_back(embedding_backward(shape, dtype));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
