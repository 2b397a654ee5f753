// Generation on kernels and on the CPU's loops: the same tokens for the same seed, whatever the
// filters, the batch and the adapter; and narrow weights draw from a model nearby.
#include "core/model/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/ops/token_loss.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/simt/jobs/small_models.h"
#include "tests/simt/tensors/counted_kernels.h"
#include "tests/simt/tensors/tensor_memory.h"
#include "tests/simt/tensors/use_harness.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

// Races are told apart down to a byte, for bf16 values and codes.
struct NarrowTensors {
  NarrowTensors() { simt::set_tensor_element(1); }
  ~NarrowTensors() { simt::set_tensor_element(4); }
};

// Prompts of one token, of several, and two that begin alike for long enough to be copied.
std::vector<GenerateRequest> some_requests() {
  std::vector<int32_t> shared;
  for (int32_t t = 0; t < 20; ++t) shared.push_back(t % 23);
  std::vector<int32_t> other = shared;
  other.push_back(5);
  return {{{1}, 0}, {{4, 4, 8}, 1}, {shared, 2}, {other, 3}, {{9, 2}, 4}};
}

GenerateTask task_of(const Decoder& decoder, int64_t new_tokens = 5) {
  GenerateTask task;
  task.decoder = &decoder;
  task.sampling.max_new_tokens = new_tokens;
  task.seed = 3;
  task.max_batch = 3;
  return task;
}

void expect_same(const std::vector<Completion>& cpu, const std::vector<Completion>& kernels,
                 const std::string& what) {
  ASSERT_EQ(cpu.size(), kernels.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    EXPECT_EQ(cpu[i].ids, kernels[i].ids) << what << ", request " << i;
    EXPECT_EQ(cpu[i].finish, kernels[i].finish) << what << ", request " << i;
    for (std::size_t t = 0; t < cpu[i].logprobs.size(); ++t) {
      EXPECT_NEAR(cpu[i].logprobs[t], kernels[i].logprobs[t], 2e-5) << what << ", request " << i;
    }
  }
}

void expect_same_on_kernels(const GenerateTask& task, const std::string& what) {
  const auto cpu = generate(task, some_requests());
  const simt::UseHarness harness;
  simt::reset_launch_counts();
  expect_same(cpu, generate(task, some_requests()), what);
  for (const char* kernel : {"cache_write", "decode_attention", "sample_tokens"}) {
    EXPECT_GT(simt::launch_counts().at(kernel), 0) << what;
  }
}

TEST(GenerateOnKernels, EveryFamilyDrawsTheCpusTokens) {
  for (const Family& family : families()) {
    const Decoder decoder = random_decoder(config_of(family));
    expect_same_on_kernels(task_of(decoder), family.name);
  }
}

TEST(GenerateOnKernels, FiltersPenaltyAndBan) {
  const Decoder decoder = random_decoder(base_config());
  GenerateTask task = task_of(decoder, 8);
  task.eos_ids = {2, 11, 19, 7};
  task.sampling.min_new_tokens = 4;
  task.sampling.repetition_penalty = 1.7;
  task.sampling.temperature = 0.8;
  task.sampling.top_k = 9;
  task.sampling.top_p = 0.9;
  task.sampling.min_p = 0.01;
  expect_same_on_kernels(task, "filters");
  task.sampling.temperature = 0;
  expect_same_on_kernels(task, "greedy");
}

TEST(GenerateOnKernels, AnAdapterOnAllLinears) {
  const Decoder decoder = random_decoder(base_config());
  const Adapter adapter = random_adapter(decoder.config, all_linears(), 3, 5, at::kFloat);
  GenerateTask task = task_of(decoder);
  task.adapter = &adapter;
  expect_same_on_kernels(task, "adapter");
}

// The log-probabilities of what was drawn, by f32's training forward on the CPU.
std::vector<float> logprobs_of(const Decoder& decoder, const GenerateRequest& request,
                               const Completion& completion) {
  const at::NoGradGuard no_grad;
  std::vector<int32_t> tokens = request.prompt;
  tokens.insert(tokens.end(), completion.ids.begin(), completion.ids.end());
  const at::Tensor hidden = decoder.hidden(pack({tokens}));
  const auto first = static_cast<int64_t>(request.prompt.size()) - 1;
  const auto count = static_cast<int64_t>(completion.ids.size());
  const at::Tensor targets = at::tensor(completion.ids, at::kInt).to(at::kLong);
  const TokenStats stats =
      token_stats(hidden.narrow(0, first, count).contiguous(), decoder.head(), targets);
  const float* const values = stats.logprobs.const_data_ptr<float>();
  return {values, values + count};
}

TEST(GenerateOnKernels, NarrowWeightsDrawFromAModelNearby) {
  ModelConfig config = base_config();
  config.hidden_size = 64;  // whole blocks of NF4
  const Decoder decoder = random_decoder(config);
  const std::vector<std::pair<std::string, double>> formats{
      {"bf16", 0.1}, {"int8", 0.1}, {"nf4", 1.5}};
  for (const auto& [format, most] : formats) {
    GenerateTask task = task_of(decoder);
    std::vector<Completion> drawn;
    {
      const simt::UseHarness harness;
      const NarrowTensors narrow;
      task.device_weights = kept_weights(format, decoder).device;
      drawn = generate(task, some_requests());
    }
    double gap = 0;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      const auto wanted = logprobs_of(decoder, some_requests()[i], drawn[i]);
      for (std::size_t t = 0; t < wanted.size(); ++t) {
        gap = std::max(gap, std::abs(static_cast<double>(wanted[t]) - drawn[i].logprobs[t]));
      }
    }
    EXPECT_GT(gap, 1e-4) << format;  // or the narrow weights were not read
    EXPECT_LT(gap, most) << format;
  }
}

TEST(GenerateOnKernels, FewAndManyRowsMultiplyTheSameWeight) {
  const simt::UseHarness harness;
  const NarrowTensors narrow;
  at::manual_seed(2);
  const at::Tensor weight = at::randn({48, 64}), x = at::randn({kFewRows + 1, 64});
  const KernelTable& kernels = *kernels_for(weight);
  const auto expect_near = [&](const auto& quantised, double error) {
    const at::Tensor many = device_product(kernels, x, quantised);
    const at::Tensor few = device_product(kernels, x.narrow(0, 0, kFewRows - 3), quantised);
    EXPECT_LT((many.narrow(0, 0, kFewRows - 3) - few).abs().max().item<double>(), 1e-4);
    const at::Tensor exact = at::mm(x, weight.t());
    EXPECT_LT(((many - exact).norm() / exact.norm()).item<double>(), error);
  };
  expect_near(device_int8(kernels, weight), 0.02);
  expect_near(device_nf4(kernels, weight), 0.15);
}

TEST(GenerateOnKernels, RefusesWhatItCannotDo) {
  const simt::UseHarness harness;
  Decoder decoder = random_decoder(base_config());
  decoder.weights.lm_head = decoder.weights.lm_head.clone();
  decoder.weights.lm_head[3][3] = std::nanf("");
  try {
    generate(task_of(decoder), some_requests());
    FAIL() << "logits that are not finite were drawn from";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::non_finite);
    EXPECT_THAT(error.what(), HasSubstr("position"));
  }
  Decoder dynamic = random_decoder(base_config());
  dynamic.config.rope_scaling.type = RopeType::dynamic;
  EXPECT_THROW(generate(task_of(dynamic), some_requests()), Error);
}

}  // namespace
}  // namespace plumb::test
