// Encoder and decoder over flat sequences: that they compute what transformers' T5 does is held in
// tests/families; here is what makes a batch of them, and what cannot be one.
#include "core/model/text_to_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/io/model_config.h"
#include "core/model/generate.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kConfig = R"({"model_type": "t5", "vocab_size": 50, "d_model": 24,
  "d_kv": 8, "d_ff": 20, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4,
  "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
  "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "is_encoder_decoder": true,
  "decoder_start_token_id": 7, "eos_token_id": 1, "initializer_range": 0.3})";

const Decoder& decoder() {
  static const Decoder made =
      create_decoder(parse_model_config(Json::parse(kConfig), "config.json"), 3);
  return made;
}

Adapter adapter_on_all(int seed) {
  at::manual_seed(seed);
  Adapter adapter;
  adapter.scale = 0.7;
  adapter.layers.resize(num_layers(decoder().config));
  for (const LayerStack& stack : layer_stacks(decoder().config)) {
    for (int64_t layer = stack.first; layer < stack.first + stack.count; ++layer) {
      for (const LinearSite& site : stack.sites) {
        adapter.layers[layer][static_cast<int>(site.linear)] = {
            at::randn({2, site.inputs}).mul_(0.3), at::randn({site.outputs, 2}).mul_(0.3)};
      }
    }
  }
  return adapter;
}

std::vector<int64_t> values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
}

std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TextToText, ASequenceIsASourceAndAShiftedTarget) {
  const PackedBatch batch = pack({{2, 3, 4, 5, 6}, {8}, {9, 10, 11}}, {3, 1, 1});
  const TwoStacks stacks = split(batch, {{{0, 6, nullptr}, {6, 9, nullptr}}, {}}, decoder().config);
  EXPECT_THAT(values(stacks.source.tokens), ElementsAre(2, 3, 4, 8, 9));
  EXPECT_THAT(stacks.source.cu_seqlens, ElementsAre(0, 3, 4, 5));
  EXPECT_THAT(values(stacks.target.tokens), ElementsAre(7, 5, 6, 7, 7, 10, 11));
  EXPECT_THAT(values(stacks.target.positions), ElementsAre(0, 1, 2, 0, 0, 1, 2));
  EXPECT_THAT(stacks.target.cu_seqlens, ElementsAre(0, 3, 4, 7));
  // The row before a token predicts it; the source's others have no state of the decoder.
  EXPECT_THAT(values(stacks.target_rows), ElementsAre(2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(stacks.source_options.adapters[1].begin, 4);
  EXPECT_EQ(stacks.target_options.adapters[1].begin, 4);
  EXPECT_EQ(stacks.target_options.adapters[1].end, 7);
}

TEST(TextToText, WhatIsNoBatchOfPromptsAndAnswersIsRefused) {
  const auto hidden = [](const std::vector<int64_t>& sources, const ForwardOptions& options = {}) {
    const at::NoGradGuard no_grad;
    return failure_of([&] { decoder().hidden(pack({{2, 3, 4}, {5, 6}}, sources), options); });
  };
  EXPECT_EQ(hidden({1, 2}), "no error");
  EXPECT_THAT(hidden({}), HasSubstr("prompt and completion"));
  EXPECT_THAT(hidden({1}), HasSubstr("not divided"));
  EXPECT_THAT(hidden({1, 0}), HasSubstr("sequence 1: its source must be 1 to 2"));
  EXPECT_THAT(hidden({4, 1}), HasSubstr("sequence 0: its source must be 1 to 3 tokens, got 4"));
  const Adapter adapter = adapter_on_all(1);
  EXPECT_EQ(hidden({1, 1}, {{{3, 5, &adapter}}, {}}), "no error");
  EXPECT_THAT(hidden({1, 1}, {{{2, 5, &adapter}}, {}}), HasSubstr("inside a sequence"));
}

// A sequence of a packed batch, with other adapters beside it, has the states it has alone.
TEST(TextToText, SequencesDoNotSeeOneAnother) {
  const at::NoGradGuard no_grad;
  const std::vector<std::vector<int32_t>> all = {{2, 3, 4, 5, 6}, {8, 9}, {9, 10, 11, 12}};
  const std::vector<int64_t> sources = {3, 1, 2};
  const Adapter one = adapter_on_all(1), other = adapter_on_all(2);
  const at::Tensor together =
      decoder().hidden(pack(all, sources), {{{0, 5, &one}, {7, 11, &other}}, {}});
  const Adapter* adapters[] = {&one, nullptr, &other};
  int64_t row = 0;
  for (std::size_t b = 0; b < all.size(); ++b) {
    const auto length = static_cast<int64_t>(all[b].size());
    const at::Tensor alone =
        decoder().hidden(pack({all[b]}, {sources[b]}), {{{0, length, adapters[b]}}, {}});
    EXPECT_TRUE(all_close(together.narrow(0, row, length), alone, 1e-5, 1e-5)) << b;
    EXPECT_EQ(alone.narrow(0, 0, sources[b] - 1).abs().sum().item<float>(), 0.0F);
    row += length;
  }
  // The prompt's rows change the answer's.
  const at::Tensor a = decoder().hidden(pack({{2, 3, 4}}, {2}));
  const at::Tensor b = decoder().hidden(pack({{5, 3, 4}}, {2}));
  EXPECT_GT(max_difference(a.narrow(0, 1, 2), b.narrow(0, 1, 2)), 1e-3);
}

std::vector<GenerateRequest> requests() {
  std::vector<GenerateRequest> all;
  for (uint64_t i = 0; i < 7; ++i) {
    std::vector<int32_t> prompt;
    for (uint64_t t = 0; t <= 3 * i % 11; ++t) {
      prompt.push_back(static_cast<int32_t>(2 + (5 * i + 3 * t) % 47));
    }
    all.push_back({prompt, i});
  }
  return all;
}

// One completion's bits are those it has alone, whoever shares its batch and its slots.
TEST(TextToText, ACompletionIsTheSameAloneAndInABatch) {
  const Adapter adapter = adapter_on_all(5);
  GenerateTask task;
  task.decoder = &decoder();
  task.adapter = &adapter;
  task.sampling.max_new_tokens = 20;
  task.eos_ids = {1};
  std::vector<Completion> alone;
  for (const GenerateRequest& request : requests()) {
    alone.push_back(generate(task, {request}).front());
  }
  for (const int64_t slots : {1, 3, 16}) {
    task.max_batch = slots;
    const std::vector<Completion> together = generate(task, requests());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      EXPECT_EQ(together[i].ids, alone[i].ids) << slots << " slots, request " << i;
      EXPECT_EQ(together[i].logprobs, alone[i].logprobs) << slots << " slots, request " << i;
    }
  }
}

// What PPO rests on: the sampler's log-probabilities are those of the training forward.
TEST(TextToText, TheSamplersLogProbabilitiesAreTheTrainersOwn) {
  const at::NoGradGuard no_grad;
  const Adapter adapter = adapter_on_all(5);
  GenerateTask task;
  task.decoder = &decoder();
  task.adapter = &adapter;
  task.sampling.max_new_tokens = 30;
  const std::vector<GenerateRequest> asked = requests();
  const std::vector<Completion> made = generate(task, asked);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    std::vector<int32_t> sequence = asked[i].prompt;
    const auto source = static_cast<int64_t>(sequence.size());
    sequence.insert(sequence.end(), made[i].ids.begin(), made[i].ids.end());
    const auto length = static_cast<int64_t>(sequence.size());
    const at::Tensor hidden =
        decoder().hidden(pack({sequence}, {source}), {{{0, length, &adapter}}, {}});
    const at::Tensor logprobs = decoder().logits(hidden).log_softmax(-1);
    for (std::size_t t = 0; t < made[i].ids.size(); ++t) {
      const auto row = source - 1 + static_cast<int64_t>(t);
      EXPECT_NEAR(made[i].logprobs[t], logprobs[row][made[i].ids[t]].item<float>(), 1e-4)
          << i << ", token " << t;
    }
  }
}

}  // namespace
}  // namespace plumb
