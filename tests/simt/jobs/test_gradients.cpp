// Loss and gradients of whole models on the harness's kernels, against f64 and the CPU's loops.
#include <gtest/gtest.h>

#include <functional>

#include "core/model/packed_batch.h"
#include "core/ops/token_loss.h"
#include "lora/attach.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/simt/jobs/agreement.h"
#include "tests/simt/jobs/small_models.h"
#include "tests/simt/tensors/counted_kernels.h"
#include "tests/simt/tensors/use_harness.h"

namespace plumb::test {
namespace {

struct Found {
  at::Tensor loss;
  std::vector<NamedTensor> grads;
};

// Next-token loss of small_texts().
Found loss_and_gradients(const Decoder& decoder, const std::vector<NamedTensor>& trained,
                         const ForwardOptions& options) {
  for (const auto& [name, tensor] : trained) {
    tensor.set_requires_grad(true);
    tensor.mutable_grad() = at::Tensor();
  }
  const PackedBatch batch = pack(small_texts());
  const at::Tensor hidden = decoder.hidden(batch, options);
  const int64_t rows = hidden.size(0) - 1;
  const at::Tensor loss =
      cross_entropy_sum(hidden.narrow(0, 0, rows), decoder.head(), batch.tokens.narrow(0, 1, rows));
  loss.backward();
  Found found{loss.detach(), {}};
  for (const auto& [name, tensor] : trained) {
    found.grads.push_back({name, tensor.grad().clone()});
  }
  return found;
}

void expect_agreement_of(const Found& kernels, const Found& cpu, const Found& f64) {
  expect_agreement(kernels.loss, cpu.loss, f64.loss, "loss");
  for (std::size_t i = 0; i < f64.grads.size(); ++i) {
    expect_agreement(kernels.grads[i].tensor, cpu.grads[i].tensor, f64.grads[i].tensor,
                     f64.grads[i].name);
  }
}

class FamilyOnKernels : public testing::TestWithParam<Family> {};

TEST_P(FamilyOnKernels, GradientsOfAllWeights) {
  Decoder decoder = random_decoder(config_of(GetParam()));
  const auto found = [&] { return loss_and_gradients(decoder, decoder.parameters(), {}); };
  const Found cpu = found();
  const Found kernels = [&] {
    const simt::UseHarness harness;
    return found();
  }();
  to_type(decoder, at::kDouble);
  expect_agreement_of(kernels, cpu, found());
}

Adapter as_f64(const Adapter& adapter) {
  Adapter wide = clone(adapter);
  for (auto& layer : wide.layers) {
    for (LowRank& linear : layer) {
      if (linear.defined()) {
        linear = {linear.a.to(at::kDouble), linear.b.to(at::kDouble)};
      }
    }
  }
  return wide;
}

Adapter random_adapter(const ModelConfig& config, uint64_t seed) {
  LoraOptions options;
  options.rank = 4;
  options.alpha = 8;
  options.dropout = 0.2;
  Adapter adapter = make_adapter(config, options, seed);
  at::manual_seed(static_cast<int64_t>(seed));
  for (const NamedTensor& parameter : parameters(adapter)) {
    parameter.tensor.normal_(0, 0.1);
  }
  return adapter;
}

// Two adapters over rows of one batch, with dropout, on a frozen base: rows in the middle take
// none.
TEST_P(FamilyOnKernels, GradientsOfAdapters) {
  Decoder decoder = random_decoder(config_of(GetParam()));
  const auto found = [&](const Adapter& first, const Adapter& second) {
    ForwardOptions options;
    options.adapters = {{0, 7, &first}, {10, 21, &second}};
    options.dropout = DropoutKey{9, 2};
    std::vector<NamedTensor> trained = parameters(first);
    for (const NamedTensor& named : parameters(second)) {
      trained.push_back({"second." + named.name, named.tensor});
    }
    return loss_and_gradients(decoder, trained, options);
  };
  const Adapter first = random_adapter(decoder.config, 5);
  const Adapter second = random_adapter(decoder.config, 6);
  const Found cpu = found(first, second);
  const Found kernels = [&] {
    const simt::UseHarness harness;
    return found(first, second);
  }();
  to_type(decoder, at::kDouble);
  expect_agreement_of(kernels, cpu, found(as_f64(first), as_f64(second)));
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyOnKernels, testing::ValuesIn(families()),
                         [](const auto& family) { return std::string(family.param.name); });

// A loss that brings no kernel of its own: statistics first, then its derivatives.
TEST(TokenLossOnKernels, TakesAnyLoss) {
  const auto found = [](at::ScalarType type) {
    at::manual_seed(4);
    const at::Tensor hidden = at::randn({9, 16}).to(type).requires_grad_();
    const at::Tensor weight = at::randn({21, 16}).to(type).requires_grad_();
    const at::Tensor targets = at::randint(21, {9}, at::kLong);
    const auto loss = [](const TokenStats& rows, int64_t) {
      const at::Tensor value = rows.logprobs.square() - 0.3 * rows.entropy;
      return TokenLossChunk{value.sum(at::kDouble).item<double>(), 2 * rows.logprobs,
                            at::full_like(rows.entropy, -0.3)};
    };
    const at::Tensor sum = token_loss(hidden, {weight, 3.0}, targets, 0.7, loss);
    sum.backward();
    return Found{sum.detach(), {{"hidden", hidden.grad()}, {"weight", weight.grad()}}};
  };
  const Found cpu = found(at::kFloat);
  const Found kernels = [&] {
    const simt::UseHarness harness;
    return found(at::kFloat);
  }();
  expect_agreement_of(kernels, cpu, found(at::kDouble));
}

}  // namespace
}  // namespace plumb::test
