// Adapters: fresh ones change nothing, merging equals applying, files hold all and refuse the
// wrong. PEFT's own numbers: tests/core/model (logits, gradients) and tests/recipes (files opened
// by PEFT).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "lora/attach.h"
#include "lora/peft_io.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using testing::HasSubstr;

ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 20;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  set_head_dim(6, config);  // H D is not C
  config.max_position_embeddings = 32;
  config.initializer_range = 0.3;
  return config;
}

at::Tensor logits(const Decoder& decoder, const Adapter* adapter) {
  const at::NoGradGuard no_grad;
  const auto batch = pack({{1, 2, 3, 4, 5}, {7, 8}});
  ForwardOptions options;
  if (adapter != nullptr) options.adapters = {{0, batch.num_rows(), adapter}};
  return decoder.logits(decoder.hidden(batch, options));
}

// An adapter as after training: B is no longer zero.
Adapter trained_adapter(const LoraOptions& options) {
  auto adapter = make_adapter(tiny_config(), options, 1);
  at::manual_seed(2);
  for (const auto& [name, tensor] : parameters(adapter)) {
    if (name.ends_with("lora_B")) tensor.normal_(0, 0.1);
  }
  return adapter;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Adapter, FreshOneChangesNothing) {
  const auto decoder = create_decoder(tiny_config(), 1);
  const auto adapter = make_adapter(tiny_config(), {}, 5);
  EXPECT_TRUE(test::same_bits(logits(decoder, nullptr), logits(decoder, &adapter)));
}

// PEFT's kaiming_uniform(a = sqrt 5) is uniform within 1/sqrt(I): bounds, mean 0, variance I^-1
// / 3.
TEST(Adapter, AIsUniformAsPeftsAndSeeded) {
  LoraOptions options;
  options.rank = 64;
  const auto adapter = make_adapter(tiny_config(), options, 5);
  const auto a = adapter.at(1, Linear::down).a.to(at::kDouble);  // (64, 24)
  const double bound = 1.0 / std::sqrt(24.0);
  EXPECT_LE(a.abs().max().item<double>(), bound);
  EXPECT_NEAR(a.mean().item<double>(), 0, 0.03 * bound);
  EXPECT_NEAR(a.square().mean().item<double>(), bound * bound / 3, 0.02 * bound * bound);
  EXPECT_TRUE(test::same_bits(adapter.at(1, Linear::down).a,
                              make_adapter(tiny_config(), options, 5).at(1, Linear::down).a));
  EXPECT_FALSE(adapter.at(1, Linear::gate).a.equal(adapter.at(1, Linear::up).a));
}

TEST(Adapter, MergedEqualsApplied) {
  for (const bool rslora : {false, true}) {
    LoraOptions options;
    options.rank = 4;
    options.rslora = rslora;
    const auto adapter = trained_adapter(options);
    EXPECT_DOUBLE_EQ(adapter.scale, rslora ? 16.0 : 8.0);
    auto decoder = create_decoder(tiny_config(), 1);
    const auto applied = logits(decoder, &adapter);
    const auto base = logits(decoder, nullptr);
    merge(decoder, adapter);
    EXPECT_GT(test::max_difference(applied, base), 1e-2);
    EXPECT_TRUE(test::all_close(logits(decoder, nullptr), applied, 1e-4, 1e-4));
  }
}

TEST(Adapter, TargetsChooseLinearsAndUnknownOnesAreRefused) {
  LoraOptions options;
  options.targets = {"q_proj", "v_proj"};
  EXPECT_EQ(parameters(make_adapter(tiny_config(), options, 1)).size(), 2u * 2 * 2);
  options.targets = {"q_proj", "query"};
  EXPECT_THAT(message_of([&] { make_adapter(tiny_config(), options, 1); }),
              HasSubstr("q_proj, k_proj"));
}

ModelConfig tiny_gpt2() {
  return parse_model_config({{"model_type", "gpt2"},
                             {"vocab_size", 20},
                             {"n_embd", 16},
                             {"n_layer", 2},
                             {"n_head", 4},
                             {"n_positions", 32}},
                            "test");
}

TEST(Adapter, TargetsMatchEndsOfNamesAsPefts) {
  LoraOptions options;
  EXPECT_EQ(parameters(make_adapter(tiny_gpt2(), options, 1)).size(), 2u * 2 * 4);
  options.targets = {"c_proj"};
  EXPECT_EQ(parameters(make_adapter(tiny_gpt2(), options, 1)).size(), 2u * 2 * 2);
  options.targets = {"mlp.c_proj"};
  const Adapter one = make_adapter(tiny_gpt2(), options, 1);
  EXPECT_TRUE(one.at(0, Linear::down).defined());
  EXPECT_FALSE(one.at(0, Linear::o).defined());
  options.targets = {"q_proj"};
  EXPECT_THAT(
      message_of([&] { make_adapter(tiny_gpt2(), options, 1); }),
      testing::AllOf(HasSubstr("gpt2 has no linear 'q_proj'"), HasSubstr("c_attn, c_proj, c_fc")));
}

class PeftFiles : public testing::Test {
 protected:
  std::string folder = testing::TempDir() + "/peft_files";
  void SetUp() override { files::remove_tree(folder); }
};

TEST_F(PeftFiles, RoundTripWithHead) {
  LoraOptions options;
  options.rank = 4;
  options.targets = {"q_proj", "down_proj"};
  PeftAdapter peft{trained_adapter(options), options, "base/model", at::randn({1, 16})};
  save_peft(peft, tiny_config(), folder);
  const auto read = load_peft(folder, tiny_config());
  EXPECT_EQ(read.base_model, "base/model");
  EXPECT_EQ(read.options.targets, options.targets);
  EXPECT_DOUBLE_EQ(read.adapter.scale, 8.0);
  EXPECT_TRUE(test::same_bits(read.score, peft.score));
  const auto wrote = parameters(peft.adapter), got = parameters(read.adapter);
  ASSERT_EQ(wrote.size(), got.size());
  for (size_t i = 0; i < wrote.size(); ++i)
    EXPECT_TRUE(test::same_bits(wrote[i].tensor, got[i].tensor));
}

TEST_F(PeftFiles, SayWhatPeftNeedsOfConv1D) {
  LoraOptions options;
  options.targets = {"c_attn", "mlp.c_proj"};
  PeftAdapter peft{make_adapter(tiny_gpt2(), options, 1), options, "gpt2", {}};
  save_peft(peft, tiny_gpt2(), folder, UntrainedAdapter::allow);
  const Json config = read_json(folder + "/adapter_config.json");
  EXPECT_EQ(config["fan_in_fan_out"], true);
  EXPECT_EQ(config["target_modules"], Json({"c_attn", "mlp.c_proj"}));
  EXPECT_EQ(load_peft(folder, tiny_gpt2()).options.targets, options.targets);
}

TEST_F(PeftFiles, AnAdapterThatDoesNothingIsNotWritten) {
  const PeftAdapter fresh{make_adapter(tiny_config(), {}, 1), {}, "base", {}};
  EXPECT_THAT(message_of([&] { save_peft(fresh, tiny_config(), folder); }),
              HasSubstr("every lora_B is zero"));
  EXPECT_FALSE(files::exists(folder + "/adapter_model.safetensors"));
  save_peft(fresh, tiny_config(), folder, UntrainedAdapter::allow);
  EXPECT_TRUE(files::exists(folder + "/adapter_model.safetensors"));
}

TEST_F(PeftFiles, NonFiniteIsNotWritten) {
  PeftAdapter peft{trained_adapter({}), {}, "base", {}};
  peft.adapter.layers[1][0].b[0][0] = std::nan("");
  EXPECT_THAT(message_of([&] { save_peft(peft, tiny_config(), folder); }),
              HasSubstr("layers.1.q.lora_B"));
}

TEST_F(PeftFiles, AnotherBaseIsRefusedByTensorAndShape) {
  save_peft({trained_adapter({}), {}, "base", {}}, tiny_config(), folder);
  auto wider = tiny_config();
  wider.hidden_size = 20;
  EXPECT_THAT(message_of([&] { load_peft(folder, wider); }), HasSubstr("needs lora_A (R, 20)"));
  auto shallower = tiny_config();
  shallower.num_hidden_layers = 1;
  EXPECT_THAT(message_of([&] { load_peft(folder, shallower); }), HasSubstr("model.layers.1."));
}

TEST_F(PeftFiles, WhatWouldChangeTheMathematicsIsRefused) {
  save_peft({trained_adapter({}), {}, "base", {}}, tiny_config(), folder);
  const std::string path = folder + "/adapter_config.json";
  const Json good = read_json(path);
  const std::vector<std::pair<std::string, Json>> bad = {{"use_dora", true},
                                                         {"bias", "all"},
                                                         {"peft_type", "IA3"},
                                                         {"alpha_pattern", {{"q_proj", 4}}},
                                                         {"r", 0}};
  for (const auto& [key, value] : bad) {
    Json changed = good;
    changed[key] = value;
    files::publish(path, changed.dump());
    EXPECT_THAT(message_of([&] { load_peft(folder, tiny_config()); }), HasSubstr(key)) << key;
  }
}

}  // namespace
}  // namespace plumb
