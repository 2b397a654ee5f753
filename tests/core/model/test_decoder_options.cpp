// The decoder with every option that a family may choose: gradients of whole models, and decoding
// against hidden(). What transformers makes of the same is compared by the families' own oracles.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/model/generate.h"
#include "core/ops/token_loss.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

struct Option {
  const char* name;
  std::function<void(ModelConfig&)> set;
};

// Named after the first family that asks for it; model_type gives the linears.
const std::vector<Option>& options() {
  static const std::vector<Option> all{{"llama", [](ModelConfig&) {}},
                                       {"windows",
                                        [](ModelConfig& c) {
                                          c.windows = {5, 0};
                                        }},
                                       {"qwen2", [](ModelConfig& c) { c.has_qkv_bias = true; }},
                                       {"qwen3", [](ModelConfig& c) { c.has_qk_norm = true; }},
                                       {"phi3",
                                        [](ModelConfig& c) {
                                          c.model_type = "phi3";
                                          c.rotary_dim = 4;
                                        }},
                                       {"gemma2",
                                        [](ModelConfig& c) {
                                          c.norm = Norm::rms_one_plus;
                                          c.has_post_norms = true;
                                          c.activation = Activation::gelu_tanh;
                                          c.attention_scale = 0.2;
                                          c.attention_softcap = 3.0;
                                          c.logits_softcap = 2.0;
                                          c.embedding_scale = 4.9;
                                          c.windows = {4, 0};
                                          c.tie_word_embeddings = true;
                                        }},
                                       {"gpt2",
                                        [](ModelConfig& c) {
                                          c.model_type = "gpt2";
                                          c.norm = Norm::layer;
                                          c.positions = Positions::learned;
                                          c.activation = Activation::gelu_tanh;
                                          c.is_gated = false;
                                          c.num_key_value_heads = 4;
                                          c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
                                          c.tie_word_embeddings = true;
                                        }},
                                       {"gpt_neox",
                                        [](ModelConfig& c) {
                                          c.model_type = "gpt_neox";
                                          c.norm = Norm::layer;
                                          c.block_order = BlockOrder::parallel;
                                          c.activation = Activation::gelu;
                                          c.is_gated = false;
                                          c.rotary_dim = 2;
                                          c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
                                        }},
                                       {"falcon",
                                        [](ModelConfig& c) {
                                          c.model_type = "falcon";
                                          c.norm = Norm::layer;
                                          c.block_order = BlockOrder::parallel_shared_norm;
                                          c.activation = Activation::gelu;
                                          c.is_gated = false;
                                          c.num_key_value_heads = 1;
                                        }},
                                       {"falcon_alibi",
                                        [](ModelConfig& c) {
                                          c.model_type = "falcon";
                                          c.norm = Norm::layer;
                                          c.positions = Positions::alibi;
                                          c.activation = Activation::relu;
                                          c.is_gated = false;
                                          c.has_qkv_bias = c.has_o_bias = c.has_mlp_bias = true;
                                        }},
                                       {"dynamic",
                                        [](ModelConfig& c) {
                                          c.max_position_embeddings = 16;
                                          c.rope_scaling.type = RopeType::dynamic;
                                          c.rope_scaling.factor = 4.0;
                                          c.rope_scaling.original_max_position_embeddings = 16;
                                        }},
                                       {"yarn", [](ModelConfig& c) {
                                          c.rope_scaling.type = RopeType::yarn;
                                          c.rope_scaling.factor = 4.0;
                                          c.rope_scaling.original_max_position_embeddings = 16;
                                          c.rope_scaling.attention_factor = 1.1386;
                                        }}};
  return all;
}

Decoder decoder_with(const Option& option) {
  Decoder decoder;
  decoder.config = small_config();
  option.set(decoder.config);
  decoder.weights = allocate_weights(decoder.config);
  at::manual_seed(11);
  for (const NamedTensor& parameter : decoder.parameters()) {
    const bool is_norm = parameter.name.find("norm.weight") != std::string::npos;
    const bool is_offset = decoder.config.norm == Norm::rms_one_plus;
    parameter.tensor.normal_(is_norm && !is_offset ? 1.0 : 0.0, 0.2);
  }
  return decoder;
}

std::vector<std::vector<int32_t>> sequences_of(const std::vector<int>& lengths) {
  std::vector<std::vector<int32_t>> sequences;
  for (const int length : lengths) {
    std::vector<int32_t> sequence;
    for (int t = 0; t < length; ++t) {
      sequence.push_back((t * 7 + length * 3) % 50);
    }
    sequences.push_back(sequence);
  }
  return sequences;
}

class DecoderOptions : public testing::TestWithParam<Option> {};

TEST_P(DecoderOptions, GradientsOfAllWeightsAgreeWithFiniteDifferences) {
  Decoder decoder = decoder_with(GetParam());
  to_type(decoder, at::kDouble);
  require_all_grads(decoder);
  const PackedBatch batch = pack(sequences_of({6, 1, 19}));
  const at::Tensor targets = at::randint(50, {batch.num_rows()}, at::kLong);
  std::vector<at::Tensor> inputs;
  for (const NamedTensor& parameter : decoder.parameters()) {
    inputs.push_back(parameter.tensor);
  }
  const auto loss = [&] {
    return cross_entropy_sum(decoder.hidden(batch), decoder.head(), targets);
  };
  EXPECT_LT(finite_difference_error(loss, inputs, 6), 1e-7);
}

struct Sampled {
  const Decoder& decoder;
  const Adapter* adapter;
  double temperature;
};

std::vector<Completion> completions(const Sampled& run, int64_t max_batch,
                                    const std::vector<GenerateRequest>& requests) {
  GenerateTask task;
  task.decoder = &run.decoder;
  task.adapter = run.adapter;
  task.sampling.temperature = run.temperature;
  task.sampling.top_k = 0;
  task.sampling.top_p = 1.0;
  task.sampling.max_new_tokens = 14;
  task.max_batch = max_batch;
  return generate(task, requests);
}

// log p of the completion's tokens by the training forward. Dynamic scaling turns a token by the
// length of the sequence that it was drawn for, so each is asked for alone.
at::Tensor logprobs_by_hidden(const Sampled& run, std::vector<int32_t> tokens,
                              const Completion& completion) {
  std::vector<at::Tensor> all;
  for (const int32_t id : completion.ids) {
    const PackedBatch batch = pack({tokens});
    const int64_t last = batch.num_rows() - 1;
    const at::Tensor hidden = run.decoder.hidden(batch, {{{0, last + 1, run.adapter}}, {}});
    all.push_back(token_stats(hidden.narrow(0, last, 1), run.decoder.head(),
                              at::tensor({int64_t{id}}), run.temperature)
                      .logprobs);
    tokens.push_back(id);
  }
  return at::cat(all);
}

void expect_decoding_follows_hidden(const Sampled& run, double tolerance) {
  const at::NoGradGuard no_grad;
  std::vector<GenerateRequest> requests;
  for (const auto& sequence : sequences_of({5, 1, 12, 9, 2})) {
    requests.push_back({sequence, requests.size()});
  }
  const auto alone = completions(run, 1, requests);
  for (const int64_t max_batch : {2, 16}) {
    const auto together = completions(run, max_batch, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(alone[i].ids, together[i].ids);
      EXPECT_EQ(alone[i].logprobs, together[i].logprobs) << "bits, request " << i;
    }
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const at::Tensor want = logprobs_by_hidden(run, requests[i].prompt, alone[i]);
    EXPECT_TRUE(all_close(at::tensor(alone[i].logprobs), want, 0.0, tolerance)) << "request " << i;
  }
}

TEST_P(DecoderOptions, DecodingGivesTheLogprobsOfHidden) {
  if (std::string(GetParam().name) == "dynamic") {
    GTEST_SKIP() << "earlier keys keep the turns of their own step, as in transformers";
  }
  const Decoder decoder = decoder_with(GetParam());
  expect_decoding_follows_hidden({decoder, nullptr, 0.8}, 2e-5);
  Adapter adapter = random_adapter(decoder.config, all_linears(), 3, 2, at::kFloat);
  expect_decoding_follows_hidden({decoder, &adapter, 0.8}, 5e-5);
}

TEST_P(DecoderOptions, PackedSequencesAreAlone) {
  const Decoder decoder = decoder_with(GetParam());
  const at::NoGradGuard no_grad;
  const auto sequences = sequences_of({5, 1, 20, 3, 16});
  const PackedBatch all = pack(sequences);
  const at::Tensor together = decoder.hidden(all);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const PackedBatch one = pack({sequences[b]});
    EXPECT_TRUE(all_close(together.narrow(0, all.cu_seqlens[b], one.num_rows()),
                          decoder.hidden(one), 0.0, 2e-5))
        << "sequence " << b;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DecoderOptions, testing::ValuesIn(options()),
                         [](const auto& tested) { return std::string(tested.param.name); });

Decoder dynamic_decoder() {
  for (const Option& option : options()) {
    if (std::string(option.name) == "dynamic") {
      return decoder_with(option);
    }
  }
  throw std::logic_error("no such option");
}

// A prompt beyond the original length: its keys are turned by its own length, and the first token
// drawn is that of hidden() over the prompt.
TEST(DynamicRope, APromptIsTurnedByItsLength) {
  const Decoder decoder = dynamic_decoder();
  const at::NoGradGuard no_grad;
  const Sampled run{decoder, nullptr, 1.0};
  std::vector<GenerateRequest> requests;
  for (const auto& sequence : sequences_of({30, 7, 30, 40})) {
    requests.push_back({sequence, requests.size()});
  }
  requests[2].prompt.push_back(1);  // begins like the first, and is turned by another length
  const auto alone = completions(run, 1, requests);
  const auto together = completions(run, 16, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(alone[i].logprobs, together[i].logprobs) << "bits, request " << i;
    const Completion first{{alone[i].ids[0]}, {}, Finish::length};
    EXPECT_NEAR(alone[i].logprobs[0],
                logprobs_by_hidden(run, requests[i].prompt, first).item<double>(), 2e-5);
  }
}

TEST(DynamicRope, StretchesTheContextByItsFactor) {
  const Decoder decoder = dynamic_decoder();
  EXPECT_EQ(position_limit(decoder.config), 64);
  EXPECT_NO_THROW(decoder.hidden(pack(sequences_of({64}))));
  EXPECT_THROW(decoder.hidden(pack(sequences_of({65}))), Error);
}

}  // namespace
}  // namespace plumb
