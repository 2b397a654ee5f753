// The written-out blocks against their ATen compositions and finite differences, in float64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/model/adapter_rows.h"
#include "core/model/attention_block.h"
#include "core/model/mlp_block.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

constexpr int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 6, kWidth = 10, kInner = 9;
constexpr int64_t kQ = kHeads * kHeadDim, kKv = kKvHeads * kHeadDim;

LayerWeights make_layer(bool with_bias) {
  LayerWeights layer;
  layer.input_norm = random_leaf({kWidth});
  layer.qkv = random_leaf({kQ + 2 * kKv, kWidth}, at::kDouble, 0.4);
  layer.qkv_bias = with_bias ? random_leaf({kQ + 2 * kKv}) : at::Tensor();
  layer.o = random_leaf({kWidth, kQ}, at::kDouble, 0.4);
  layer.post_norm = random_leaf({kWidth});
  layer.gate_up = random_leaf({2 * kInner, kWidth}, at::kDouble, 0.4);
  layer.down = random_leaf({kWidth, kInner}, at::kDouble, 0.4);
  return layer;
}

std::vector<at::Tensor> weights_of(const LayerWeights& layer) {
  std::vector<at::Tensor> all;
  for (const at::Tensor& tensor : {layer.input_norm, layer.qkv, layer.qkv_bias, layer.o,
                                   layer.post_norm, layer.gate_up, layer.down}) {
    if (tensor.defined()) {
      all.push_back(tensor);
    }
  }
  return all;
}

SharedPass make_pass(const std::vector<int64_t>& lengths) {
  std::vector<std::vector<int32_t>> sequences;
  for (const int64_t length : lengths) {
    sequences.emplace_back(length, 0);
  }
  const PackedBatch batch = pack(sequences);
  return std::make_shared<const ForwardPass>(ForwardPass{kHeads, kKvHeads, kHeadDim, 1e-5,
                                                         batch.positions, batch.cu_seqlens,
                                                         rotary_table({kHeadDim, 100.0, {}}, 32)});
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
  explicit BlockCase(bool with_bias = true) : layer(make_layer(with_bias)) {
    attention.qkv = {update(0, 5, 0, 2, kQ, kWidth), update(0, 5, kQ + kKv, 3, kKv, kWidth),
                     update(8, 13, kQ, 2, kKv, kWidth, 0.3)};
    attention.o = {update(8, 13, 0, 2, kWidth, kQ)};
    mlp.gate_up = {update(0, 5, 0, 2, kInner, kWidth, 0.3),
                   update(8, 13, kInner, 3, kInner, kWidth)};
    mlp.down = {update(0, 5, 0, 2, kWidth, kInner, 0.3), update(8, 13, 0, 1, kWidth, kInner)};
  }

  at::Tensor x = random_leaf({13, kWidth});
  LayerWeights layer;
  SharedPass pass = make_pass({5, 1, 7});
  AttentionUpdates attention;
  MlpUpdates mlp;

  at::Tensor run() const {
    return mlp_block(attention_block(x, layer, pass, attention), layer, pass, mlp);
  }
  at::Tensor run_ref() const {
    return mlp_block_ref(attention_block_ref(x, layer, pass, attention), layer, pass, mlp);
  }
  std::vector<at::Tensor> adapter_tensors() const {
    std::vector<at::Tensor> all;
    for (const auto* updates : {&attention.qkv, &attention.o, &mlp.gate_up, &mlp.down}) {
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

TEST(Blocks, MatchTheirCompositionInEveryGradient) {
  at::manual_seed(3);
  for (const bool with_bias : {false, true}) {
    const BlockCase here(with_bias);
    expect_gradients_match(here, here.inputs());
  }
}

TEST(Blocks, AgreeWithFiniteDifferences) {
  at::manual_seed(3);
  const BlockCase here;
  const at::Tensor weight = at::randn({13, kWidth}, at::kDouble);
  EXPECT_LT(finite_difference_error([&] { return (here.run() * weight).sum(); }, here.inputs()),
            2e-8);
}

// LoRA over frozen weights, as in training; in the first block nothing below asks for x either.
TEST(Blocks, FormOnlyTheGradientsAskedFor) {
  at::manual_seed(3);
  BlockCase here;
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
  here.attention.qkv[0].a.set_requires_grad(false);
  here.attention.qkv[0].b.set_requires_grad(false);
  here.attention.qkv[0].a.mutable_grad().reset();
  here.attention.qkv[0].b.mutable_grad().reset();
  here.run().sum().backward();
  EXPECT_FALSE(here.attention.qkv[0].a.grad().defined());
  EXPECT_FALSE(here.attention.qkv[0].b.grad().defined());
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
  const auto attention = [&] { return attention_block(here.x, here.layer, here.pass, {}); };
  const auto mlp = [&] { return mlp_block(here.x, here.layer, here.pass, {}); };
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
    here.mlp.down[0].b.add_(1.0);
  }
  EXPECT_THAT(failure_of([&] { loss.backward(); }), testing::HasSubstr("inplace operation"));
}

}  // namespace
}  // namespace plumb
