// The written-out blocks against their ATen compositions and finite differences, in float64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/model/attention_block.h"
#include "core/model/cross_attention_block.h"
#include "core/model/mlp_block.h"
#include "core/ops/attention_bias.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

constexpr int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 6, kWidth = 10, kInner = 9;
constexpr int64_t kQ = kHeads * kHeadDim, kKv = kKvHeads * kHeadDim;

// What a layer may be made of.
struct LayerKind {
  const char* name;
  Norm norm = Norm::rms;
  bool has_biases = false;
  bool has_post_norms = false;
  bool has_head_norms = false;
  BlockOrder order = BlockOrder::sequential;
  ActivationRule activation = {};
  int64_t rotary_dim = kHeadDim;  // 0: none
  AttentionOptions attention = {};
};

void PrintTo(const LayerKind& kind, std::ostream* out) {
  *out << kind.name;
}

const std::vector<LayerKind>& layer_kinds() {
  static const std::vector<LayerKind> kinds{
      {.name = "plain"},
      {.name = "biases", .has_biases = true},
      {.name = "layer_norm",
       .norm = Norm::layer,
       .has_biases = true,
       .activation = {Activation::gelu_tanh, false},
       .rotary_dim = 0},
      {.name = "parallel",
       .norm = Norm::layer,
       .has_biases = true,
       .order = BlockOrder::parallel,
       .activation = {Activation::gelu, false},
       .rotary_dim = 4},
      {.name = "shared_norm",
       .norm = Norm::layer,
       .order = BlockOrder::parallel_shared_norm,
       .activation = {Activation::relu, false},
       .rotary_dim = 0,
       .attention = {.key_bias = falcon_alibi(kHeads, 32, 0.4).to(at::kDouble)}},
      {.name = "shared_rms_norm", .order = BlockOrder::parallel_shared_norm},
      {.name = "post_norms",
       .has_post_norms = true,
       .activation = {Activation::gelu_tanh, true},
       .attention = {.scale = 0.3, .window = 3, .softcap = 2.0}},
      {.name = "layer_post_norms", .norm = Norm::layer, .has_biases = true, .has_post_norms = true},
      {.name = "parallel_post_norms", .has_post_norms = true, .order = BlockOrder::parallel},
      {.name = "head_norms", .has_head_norms = true}};
  return kinds;
}

LayerWeights make_layer(const LayerKind& kind) {
  const auto norm = [&](int64_t width) {
    return NormWeights{random_leaf({width}),
                       kind.norm == Norm::layer ? random_leaf({width}) : at::Tensor()};
  };
  const auto product = [&](int64_t outputs, int64_t inputs) {
    return ProductWeights{random_leaf({outputs, inputs}, at::kDouble, 0.4),
                          kind.has_biases ? random_leaf({outputs}) : at::Tensor()};
  };
  LayerWeights layer;
  layer.attention_norm = norm(kWidth);
  layer.qkv = product(kQ + 2 * kKv, kWidth);
  if (kind.has_head_norms) {
    layer.q_norm = {random_leaf({kHeadDim}), {}};
    layer.k_norm = {random_leaf({kHeadDim}), {}};
  }
  layer.o = product(kWidth, kQ);
  if (kind.order != BlockOrder::parallel_shared_norm) {
    layer.mlp_norm = norm(kWidth);
  }
  layer.gate_up = product((kind.activation.is_gated ? 2 : 1) * kInner, kWidth);
  layer.down = product(kWidth, kInner);
  if (kind.has_post_norms) {
    layer.after_attention_norm = norm(kWidth);
    layer.after_mlp_norm = norm(kWidth);
  }
  return layer;
}

std::vector<at::Tensor> weights_of(const LayerWeights& w) {
  std::vector<at::Tensor> all;
  for (const NormWeights& norm : {w.attention_norm, w.q_norm, w.k_norm, w.after_attention_norm,
                                  w.mlp_norm, w.after_mlp_norm}) {
    all.insert(all.end(), {norm.weight, norm.bias});
  }
  for (const ProductWeights& product : {w.qkv, w.o, w.gate_up, w.down}) {
    all.insert(all.end(), {product.weight, product.bias});
  }
  std::erase_if(all, [](const at::Tensor& tensor) { return !tensor.defined(); });
  return all;
}

SharedPass make_pass(const LayerKind& kind, const std::vector<int64_t>& lengths) {
  std::vector<std::vector<int32_t>> sequences;
  for (const int64_t length : lengths) {
    sequences.emplace_back(length, 0);
  }
  const PackedBatch batch = pack(sequences);
  ForwardPass pass;
  pass.heads = kHeads;
  pass.kv_heads = kKvHeads;
  pass.head_dim = kHeadDim;
  pass.norm = {kind.norm, 1e-5};
  pass.activation = kind.activation;
  pass.cu_seqlens = batch.cu_seqlens;
  pass.attention = kind.attention;
  if (kind.rotary_dim > 0) {
    pass.rotary = rotary_table({kind.rotary_dim, 100.0, {}}, 32);
    pass.rotary_rows = batch.positions;
  }
  return std::make_shared<const ForwardPass>(pass);
}

LowRankUpdate update(int64_t begin, int64_t end, int64_t column, int64_t rank, int64_t outputs,
                     int64_t inputs, double dropout = 0.0) {
  static uint64_t id = 0;
  return {begin,
          end,
          column,
          random_leaf({rank, inputs}, at::kDouble, 0.4),
          random_leaf({outputs, rank}, at::kDouble, 0.4),
          0.9,
          Dropout{dropout, 5, ++id, begin}};
}

// Everything that a block takes: 13 rows in three sequences; two row groups with adapters of their
// own (one drops inputs), rows 5 to 7 with none.
struct BlockCase {
  explicit BlockCase(const LayerKind& made_of = {.name = "biases", .has_biases = true})
      : kind(made_of), layer(make_layer(kind)), pass(make_pass(kind, {5, 1, 7})) {
    attention = {{update(0, 5, 0, 2, kQ, kWidth), update(0, 5, kQ + kKv, 3, kKv, kWidth),
                  update(8, 13, kQ, 2, kKv, kWidth, 0.3)},
                 {update(8, 13, 0, 2, kWidth, kQ)}};
    const int64_t up = kind.activation.is_gated ? kInner : 0;
    mlp = {{update(0, 5, 0, 2, kInner, kWidth, 0.3), update(8, 13, up, 3, kInner, kWidth)},
           {update(0, 5, 0, 2, kWidth, kInner, 0.3), update(8, 13, 0, 1, kWidth, kInner)}};
  }

  LayerKind kind;
  at::Tensor x = random_leaf({13, kWidth});
  LayerWeights layer;
  SharedPass pass;
  BlockUpdates attention;
  BlockUpdates mlp;

  at::Tensor run() const {
    const at::Tensor attended = attention_block(x, layer, pass, pass->attention_of(0), attention);
    return mlp_block(mlp_input(attended), attended, layer, pass, mlp);
  }
  at::Tensor run_ref() const {
    const at::Tensor attended =
        attention_block_ref(x, layer, pass, pass->attention_of(0), attention);
    return mlp_block_ref(mlp_input(attended), attended, layer, pass, mlp);
  }
  const at::Tensor& mlp_input(const at::Tensor& attended) const {
    return kind.order == BlockOrder::sequential ? attended : x;
  }
  std::vector<at::Tensor> adapter_tensors() const {
    std::vector<at::Tensor> all;
    for (const auto* updates : {&attention.first, &attention.second, &mlp.first, &mlp.second}) {
      for (const LowRankUpdate& here : *updates) {
        all.insert(all.end(), {here.a, here.b});
      }
    }
    return all;
  }
  std::vector<at::Tensor> inputs() const {
    std::vector<at::Tensor> all{x};
    for (const auto& more : {weights_of(layer), adapter_tensors()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
};

void expect_gradients_match(const BlockCase& here, const std::vector<at::Tensor>& inputs) {
  const at::Tensor got = here.run(), want = here.run_ref();
  EXPECT_TRUE(all_close(got, want, 1e-12, 1e-12));
  const at::Tensor weight = at::randn(got.sizes(), at::kDouble);
  const auto grads = gradients(got, weight, inputs), wanted = gradients(want, weight, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_TRUE(all_close(grads[i], wanted[i], 1e-11, 1e-11)) << "input " << i;
  }
}

class BlockKinds : public testing::TestWithParam<LayerKind> {};

TEST_P(BlockKinds, MatchTheirCompositionInEveryGradient) {
  at::manual_seed(3);
  const BlockCase here(GetParam());
  expect_gradients_match(here, here.inputs());
}

// The bound is that of central differences where soft caps and post norms bend most; what two ways
// of deriving agree on is far closer, above.
TEST_P(BlockKinds, AgreeWithFiniteDifferences) {
  at::manual_seed(3);
  const BlockCase here(GetParam());
  const at::Tensor weight = at::randn({13, kWidth}, at::kDouble);
  EXPECT_LT(finite_difference_error([&] { return (here.run() * weight).sum(); }, here.inputs()),
            1e-7);
}

// LoRA over frozen weights, as in training; in the first block nothing below asks for x either.
TEST_P(BlockKinds, FormOnlyTheGradientsAskedFor) {
  at::manual_seed(3);
  BlockCase here(GetParam());
  for (const at::Tensor& weight : weights_of(here.layer)) {
    weight.set_requires_grad(false);
  }
  expect_gradients_match(here, here.adapter_tensors());
  here.x.set_requires_grad(false);
  expect_gradients_match(here, here.adapter_tensors());
  here.run().sum().backward();
  EXPECT_FALSE(here.x.grad().defined());
  for (const at::Tensor& weight : weights_of(here.layer)) {
    EXPECT_FALSE(weight.grad().defined());
  }
  // An adapter in use but frozen (the reward's, the reference's) gets nothing either.
  const LowRankUpdate& frozen = here.attention.first[0];
  for (const at::Tensor& tensor : {frozen.a, frozen.b}) {
    tensor.set_requires_grad(false);
    tensor.mutable_grad().reset();
  }
  here.run().sum().backward();
  EXPECT_FALSE(frozen.a.grad().defined());
  EXPECT_FALSE(frozen.b.grad().defined());
}

INSTANTIATE_TEST_SUITE_P(Kinds, BlockKinds, testing::ValuesIn(layer_kinds()),
                         [](const auto& tested) { return std::string(tested.param.name); });

// 13 rows of a decoder in three sequences, whose sources are 4, 2 and 3 rows; adapters on q and o.
struct CrossCase {
  explicit CrossCase(const LayerKind& made_of) : kind(made_of) {
    ForwardPass shared = *make_pass(kind, {5, 1, 7});
    shared.source_cu_seqlens = {0, 4, 6, 9};
    // What only self-attention has.
    shared.windows = {3};
    shared.attention.relative = {random_leaf({8, kHeads}), 20, false};
    pass = std::make_shared<const ForwardPass>(shared);
  }

  at::Tensor run() const {
    return cross_attention_block(x, key_values, cross_weights(layer, config), pass, updates);
  }
  at::Tensor run_ref() const {
    return cross_attention_block_ref(x, key_values, cross_weights(layer, config), pass, updates);
  }
  // softmax(q k^T scale) v, sequence by sequence and head by head.
  at::Tensor run_plainly() const {
    const CrossWeights w = cross_weights(layer, config);
    const at::Tensor normed =
        x * (x.square().mean(-1, true) + 1e-5).rsqrt() * layer.attention_norm.weight;
    const at::Tensor q = at::linear(normed, w.query.weight, w.query.bias);
    const at::Tensor attended = at::zeros({x.size(0), kQ}, at::kDouble);
    for (std::size_t b = 0; b + 1 < pass->cu_seqlens.size(); ++b) {
      const int64_t row = pass->cu_seqlens[b], rows = pass->cu_seqlens[b + 1] - row;
      const int64_t key = pass->source_cu_seqlens[b];
      const at::Tensor source = key_values.narrow(0, key, pass->source_cu_seqlens[b + 1] - key);
      for (int64_t h = 0; h < kHeads; ++h) {
        const int64_t group = h / (kHeads / kKvHeads) * kHeadDim;
        const at::Tensor scores = at::mm(q.narrow(0, row, rows).narrow(1, h * kHeadDim, kHeadDim),
                                         source.narrow(1, group, kHeadDim).t()) /
                                  std::sqrt(static_cast<double>(kHeadDim));
        attended.narrow(0, row, rows)
            .narrow(1, h * kHeadDim, kHeadDim)
            .copy_(at::mm(scores.softmax(-1), source.narrow(1, kKv + group, kHeadDim)));
      }
    }
    return x + at::linear(attended, w.o.weight, w.o.bias);
  }
  // The rows of k and v in layer.qkv play no part.
  std::vector<at::Tensor> inputs() const {
    std::vector<at::Tensor> all{x, key_values, layer.attention_norm.weight, layer.qkv.weight,
                                layer.o.weight};
    if (layer.attention_norm.bias.defined()) all.push_back(layer.attention_norm.bias);
    if (layer.o.bias.defined()) all.insert(all.end(), {layer.qkv.bias, layer.o.bias});
    for (const auto* list : {&updates.first, &updates.second}) {
      for (const LowRankUpdate& here : *list) all.insert(all.end(), {here.a, here.b});
    }
    return all;
  }

  LayerKind kind;
  ModelConfig config = [] {
    ModelConfig made;
    made.num_attention_heads = kHeads;
    made.num_key_value_heads = kKvHeads;
    made.head_dim = kHeadDim;
    return made;
  }();
  at::Tensor x = random_leaf({13, kWidth});
  at::Tensor key_values = random_leaf({9, 2 * kKv});
  LayerWeights layer = make_layer(kind);
  SharedPass pass;
  BlockUpdates updates{{update(0, 5, 0, 2, kQ, kWidth), update(6, 13, 0, 3, kQ, kWidth, 0.3)},
                       {update(6, 13, 0, 2, kWidth, kQ)}};
};

class CrossAttention : public testing::TestWithParam<LayerKind> {};

TEST_P(CrossAttention, MatchesItsCompositionAndFiniteDifferences) {
  at::manual_seed(3);
  const CrossCase here(GetParam());
  const at::Tensor got = here.run(), want = here.run_ref();
  EXPECT_TRUE(all_close(got, want, 1e-12, 1e-12));
  const at::Tensor weight = at::randn(got.sizes(), at::kDouble);
  const auto grads = gradients(got, weight, here.inputs());
  const auto wanted = gradients(want, weight, here.inputs());
  for (std::size_t i = 0; i < grads.size(); ++i) {
    EXPECT_TRUE(all_close(grads[i], wanted[i], 1e-11, 1e-11)) << "input " << i;
  }
  EXPECT_LT(finite_difference_error([&] { return (here.run() * weight).sum(); }, here.inputs()),
            1e-7);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CrossAttention,
                         testing::Values(LayerKind{.name = "plain", .rotary_dim = 0},
                                         LayerKind{.name = "layer_norm",
                                                   .norm = Norm::layer,
                                                   .has_biases = true,
                                                   .rotary_dim = 0}),
                         [](const auto& tested) { return std::string(tested.param.name); });

// Every query sees every key of its own source and no other's; masks, windows and relative biases
// are the decoder's own attention's.
TEST(Blocks, CrossAttentionSeesTheWholeSource) {
  at::manual_seed(4);
  CrossCase here({.name = "plain", .rotary_dim = 0});
  here.updates = {};
  EXPECT_TRUE(all_close(here.run(), here.run_plainly(), 1e-12, 1e-12));
}

TEST(Blocks, NormWeightsAreOffsetsWhereThatIsTheRule) {
  const NormWeights weights{random_leaf({kWidth}), {}};
  EXPECT_TRUE(same_bits(norm_factors(weights, Norm::rms).weight, weights.weight));
  const at::Tensor offset = norm_factors(weights, Norm::rms_one_plus).weight;
  EXPECT_TRUE(same_bits(offset, weights.weight + 1));
  offset.sum().backward();
  EXPECT_TRUE(same_bits(weights.weight.grad(), at::ones({kWidth}, at::kDouble)));
  EXPECT_FALSE(norm_factors({}, Norm::rms_one_plus).weight.defined());
}

TEST(Blocks, WithoutGradientsThereIsNoGraph) {
  BlockCase here;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor y = here.run();
    EXPECT_FALSE(y.requires_grad());
  }
  for (const at::Tensor& input : here.inputs()) {
    input.set_requires_grad(false);
  }
  EXPECT_FALSE(here.run().grad_fn());
}

std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

TEST(Blocks, ASecondBackwardIsRefused) {
  const BlockCase here;
  const auto attention = [&] { return attention_block(here.x, here.layer, here.pass, {}, {}); };
  const auto mlp = [&] { return mlp_block(here.x, here.x, here.layer, here.pass, {}); };
  for (const std::function<at::Tensor()>& block :
       {std::function<at::Tensor()>(attention), std::function<at::Tensor()>(mlp)}) {
    const at::Tensor loss = block().sum();
    loss.backward({}, /*retain_graph=*/true);
    EXPECT_THAT(failure_of([&] { loss.backward(); }), testing::HasSubstr("backward a second time"));
    const at::Tensor again = block().sum();
    EXPECT_THAT(failure_of([&] {
                  torch::autograd::grad({again}, {here.x}, {}, true, /*create_graph=*/true);
                }),
                testing::HasSubstr("no second derivative"));
  }
}

// Stepping an optimizer between forward and backward would give gradients of neither weights.
TEST(Blocks, AWeightChangedInBetweenIsNoticed) {
  BlockCase here;
  const at::Tensor loss = here.run().sum();
  {
    const at::NoGradGuard no_grad;
    here.mlp.second[0].b.add_(1.0);
  }
  EXPECT_THAT(failure_of([&] { loss.backward(); }), testing::HasSubstr("inplace operation"));
}

}  // namespace
}  // namespace plumb
