// Pretraining, SFT and the reward model take some steps on kernels and on the CPU's loops.
#include <gtest/gtest.h>

#include "reward/reward_job.h"
#include "sft/next_token_job.h"
#include "tests/simt/jobs/small_models.h"
#include "tests/simt/jobs/small_runs.h"

namespace plumb::test {
namespace {

// Rounding moves a loss of some nats by a few units of f32; three updates make it a few tens.
constexpr double kLoss = 64 * 0x1p-24;
constexpr double kNorm = 1e-4;
constexpr double kUpdates = 2e-3;

Sample text(int64_t i) {
  Sample sample;
  const int64_t count = 5 + i % 7;
  sample.sequences = {{walk(i, count), {{0, count, Role::assistant, true}}}};
  return sample;
}

Sample conversation(int64_t i) {
  Sample sample;
  const int64_t prompt = 2 + i % 3, count = prompt + 4 + i % 5;
  sample.sequences = {
      {walk(i, count), {{0, prompt, Role::user, false}, {prompt, count, Role::assistant, true}}}};
  return sample;
}

Sample pair(int64_t i) {
  Sample sample;
  for (const int64_t of : {i, i + 40}) {
    const int64_t count = 4 + of % 5;
    sample.sequences.push_back({walk(of, count), {{0, count, Role::assistant, true}}});
  }
  sample.margin = 0.25 * static_cast<double>(i % 3);
  return sample;
}

using Runs = std::vector<std::unique_ptr<SupervisedRun>>;  // that live as long as the test

SupervisedRun& new_run(Runs& runs, const ModelConfig& config) {
  runs.push_back(std::make_unique<SupervisedRun>());
  SupervisedRun& run = *runs.back();
  run.decoder = random_decoder(config);
  run.options = small_training();
  return run;
}

ReadyRun pretraining(Runs& runs, const std::string& store, const ModelConfig& config) {
  SupervisedRun& run = new_run(runs, config);
  run.data = small_data(store, SampleKind::text, text);
  const auto trained = run.decoder.parameters();
  return {trained, [&run, trained](const std::string& folder) {
            const auto job = next_token_job("pretrain", {&run.decoder, nullptr}, run.feed());
            train_into(folder, job, run, trained);
          }};
}

// A key's bias shifts all scores of a query alike, so softmax leaves it no gradient but rounding's,
// which AdamW makes steps of lr of. It is left out of what must agree.
void leave_out_key_biases(BothPaths& both, const ModelConfig& config) {
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  for (Trace* trace : {&both.cpu, &both.kernels}) {
    for (auto* tensors : {&trace->start, &trace->end}) {
      for (const auto& [name, tensor] : *tensors) {
        if (name.ends_with("qkv.bias")) {
          tensor.narrow(0, q, kv).zero_();
        }
      }
    }
  }
}

class Pretraining : public testing::TestWithParam<Family> {};

TEST_P(Pretraining, AgreesWithTheCpu) {
  const TestFolder folder;
  Runs runs;
  BothPaths both = run_both(
      folder, [&] { return pretraining(runs, folder / "text.h5", config_of(GetParam())); });
  expect_same_metric(both, "loss", kLoss);
  expect_same_metric(both, "entropy", kLoss);
  expect_same_metric(both, "grad_norm", kNorm);
  leave_out_key_biases(both, config_of(GetParam()));
  expect_same_updates(both, kUpdates);
  expect_launched(
      both, {"embedding_forward", "embedding_backward", "varlen_forward", "varlen_backward",
             "activation_forward", "activation_backward", "cross_entropy", "grad_norm", "adamw"});
  const bool is_layer = config_of(GetParam()).norm == Norm::layer;
  expect_launched(both, {is_layer ? "layer_norm_forward" : "rms_norm_forward",
                         is_layer ? "layer_norm_backward" : "rms_norm_backward"});
}

INSTANTIATE_TEST_SUITE_P(Families, Pretraining, testing::ValuesIn(families()),
                         [](const auto& family) { return std::string(family.param.name); });

// State in 8 bits, for tensors of 4096 values and more. A code that lies between two others may
// fall on either side.
TEST(PretrainingIn8Bits, AgreesWithTheCpu) {
  const TestFolder folder;
  Runs runs;
  ModelConfig config = base_config();
  config.intermediate_size = 80;  // gate and up: 160 by 32
  const BothPaths both = run_both(folder, [&] {
    const ReadyRun ready = pretraining(runs, folder / "text.h5", config);
    runs.back()->options.optimizer.name = "adamw8";
    return ready;
  });
  expect_same_metric(both, "loss", 1e-4);
  expect_same_updates(both, 2e-2);
  expect_launched(both, {"adamw", "adamw8"});
}

TEST(SftWithLora, AgreesWithTheCpu) {
  const TestFolder folder;
  Runs runs;
  const BothPaths both = run_both(folder, [&]() -> ReadyRun {
    SupervisedRun& run = new_run(runs, config_of(families()[1]));
    LoraOptions lora;
    lora.rank = 4;
    lora.alpha = 8;
    lora.dropout = 0.1;
    run.adapter = make_adapter(run.decoder.config, lora, 5);
    run.data = small_data(folder / "chat.h5", SampleKind::conversation, conversation);
    const auto trained = parameters(run.adapter);
    return {trained, [&run, trained](const std::string& to) {
              const auto job = next_token_job("sft", {&run.decoder, &run.adapter}, run.feed());
              train_into(to, job, run, trained);
            }};
  });
  expect_same_metric(both, "loss", kLoss);
  expect_same_metric(both, "grad_norm", kNorm);
  expect_same_updates(both, kUpdates);
  expect_launched(both, {"low_rank_forward", "low_rank_backward", "head_norm_forward",
                         "head_norm_backward", "rope", "cross_entropy", "adamw"});
  EXPECT_EQ(both.kernels.launches.at("embedding_backward"), 0) << "the base is frozen";
}

TEST(RewardModel, AgreesWithTheCpu) {
  const TestFolder folder;
  Runs runs;
  const BothPaths both = run_both(folder, [&]() -> ReadyRun {
    SupervisedRun& run = new_run(runs, base_config());
    run.adapter = make_adapter(run.decoder.config, {.rank = 4, .alpha = 8}, 5);
    at::manual_seed(3);
    run.score = at::randn({1, run.decoder.config.hidden_size}) * 0.2;
    run.data = small_data(folder / "pairs.h5", SampleKind::preference, pair);
    auto trained = parameters(run.adapter);
    trained.push_back({"score", run.score});
    return {
        trained, [&run, trained](const std::string& to) {
          PairLossOptions options;
          options.center_rewards_coefficient = 0.01;
          const auto job = reward_job({&run.decoder, &run.adapter, run.score}, options, run.feed());
          train_into(to, job, run, trained);
        }};
  });
  expect_same_metric(both, "loss", kLoss);
  expect_same_metric(both, "accuracy", 0);
  expect_same_metric(both, "grad_norm", kNorm);
  expect_same_updates(both, kUpdates);
  expect_launched(both, {"pair_loss", "low_rank_forward", "low_rank_backward", "varlen_backward"});
}

}  // namespace
}  // namespace plumb::test
