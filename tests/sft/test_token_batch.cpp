// Which rows are asked for which token, and that nothing else enters the loss.
#include <gtest/gtest.h>

#include "core/ops/token_loss.h"
#include "sft/next_token_job.h"
#include "sft/token_batch.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

Sample conversation(std::vector<int32_t> tokens, std::vector<Span> spans) {
  Sample sample;
  sample.sequences = {{std::move(tokens), std::move(spans)}};
  return sample;
}

std::vector<int64_t> values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

Decoder tiny_decoder() {
  ModelConfig config;
  config.vocab_size = 20;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  set_head_dim(4, config);
  config.max_position_embeddings = 32;
  config.initializer_range = 0.3;
  return create_decoder(config, 3);
}

TEST(TokenBatch, RowBeforeATrainedTokenPredictsIt) {
  // Two turns of the assistant in the first sample; the second is trained from its first token on.
  const auto batch =
      make_token_batch({conversation({5, 6, 7, 8, 9, 10}, {{0, 2, Role::user, false},
                                                           {2, 3, Role::assistant, true},
                                                           {3, 5, Role::user, false},
                                                           {5, 6, Role::assistant, true}}),
                        conversation({11, 12, 13}, {{0, 3, Role::assistant, true}})});
  EXPECT_EQ(values(batch.loss_rows), (std::vector<int64_t>{1, 4, 6, 7}));
  EXPECT_EQ(values(batch.targets), (std::vector<int64_t>{7, 10, 12, 13}));
  EXPECT_EQ(batch.batch.num_rows(), 9);
}

// The loss of a batch is the sum of its samples' losses: no sample sees another, and the rows of
// prompts are free to be anything.
TEST(NextTokenLoss, IsTheSumOverSamplesAndIgnoresUntrainedRows) {
  const auto decoder = tiny_decoder();
  const auto a =
      conversation({1, 2, 3, 4}, {{0, 2, Role::user, false}, {2, 4, Role::assistant, true}});
  const auto b =
      conversation({7, 8, 9}, {{0, 1, Role::user, false}, {1, 3, Role::assistant, true}});
  const at::NoGradGuard no_grad;
  const auto loss = [&](const std::vector<Sample>& samples) {
    return next_token_loss({&decoder, nullptr}, make_token_batch(samples), std::nullopt)
        .loss.item<double>();
  };
  EXPECT_NEAR(loss({a, b}), loss({a}) + loss({b}), 1e-4);
  EXPECT_NEAR(loss({a, b}), loss({b, a}), 1e-4);

  const auto logprobs = decoder.logits(decoder.hidden(pack({{1, 2, 3, 4}}))).log_softmax(-1);
  EXPECT_NEAR(loss({a}), -(logprobs[1][3] + logprobs[2][4]).item<double>(), 1e-4);
}

}  // namespace
}  // namespace plumb
