// What each family's config.json means, with the defaults of transformers' config classes, and what
// is written back. That the options then compute the same as transformers:
// tests/families.
#include "core/io/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/io/linear_sites.h"
#include "core/io/model_config.h"
#include "tests/core/io/oracle.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ModelConfig parse(const char* text) {
  return parse_model_config(Json::parse(text), "config.json");
}

std::string refusal(const char* text, const Json& change = Json::object()) {
  Json json = Json::parse(text);
  json.update(change);
  return error_of([&] { parse_model_config(json, "config.json"); });
}

// As tiiuae/falcon-7b, -40b and -rw-1b publish them, with fewer layers.
constexpr const char* kFalcon7b = R"({"alibi": false, "architectures": ["FalconForCausalLM"],
  "attention_dropout": 0.0, "auto_map": {}, "bias": false, "bos_token_id": 11, "eos_token_id": 11,
  "hidden_dropout": 0.0, "hidden_size": 4544, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
  "model_type": "falcon", "multi_query": true, "new_decoder_architecture": false,
  "num_attention_heads": 71, "num_hidden_layers": 2, "parallel_attn": true,
  "torch_dtype": "bfloat16", "vocab_size": 65024})";
constexpr const char* kFalcon40b = R"({"alibi": false, "bias": false, "bos_token_id": 11,
  "eos_token_id": 11, "hidden_size": 8192, "layer_norm_epsilon": 1e-05, "model_type": "falcon",
  "new_decoder_architecture": true, "num_attention_heads": 128, "num_hidden_layers": 2,
  "num_kv_heads": 8, "parallel_attn": true, "torch_dtype": "bfloat16", "vocab_size": 65024})";
constexpr const char* kFalconRw = R"({"alibi": true, "bias": true, "bos_token_id": 1,
  "eos_token_id": 2, "hidden_size": 2048, "layer_norm_epsilon": 1e-05, "model_type": "falcon",
  "multi_query": false, "new_decoder_architecture": false, "num_attention_heads": 32,
  "num_hidden_layers": 2, "parallel_attn": false, "vocab_size": 50304})";

TEST(Families, FalconsThreeArchitectures) {
  const ModelConfig b7 = parse(kFalcon7b);
  EXPECT_EQ(b7.num_key_value_heads, 1);
  EXPECT_EQ(b7.head_dim, 64);
  EXPECT_EQ(b7.intermediate_size, 4 * 4544);
  EXPECT_EQ(b7.block_order, BlockOrder::parallel_shared_norm);
  EXPECT_EQ(b7.activation, Activation::gelu);
  EXPECT_FALSE(b7.has_qkv_bias || b7.has_o_bias || b7.has_mlp_bias || b7.is_gated);
  EXPECT_TRUE(b7.tie_word_embeddings);

  const ModelConfig b40 = parse(kFalcon40b);
  EXPECT_EQ(b40.num_key_value_heads, 8);
  EXPECT_EQ(b40.block_order, BlockOrder::parallel);
  const TensorNames names = family_of(b40).names(b40);
  EXPECT_EQ(names.norms[0].module, "ln_attn");
  // For each kv head its 16 queries, its key, its value.
  const LinearSite qkv = linear_sites(b40)[0];
  ASSERT_EQ(qkv.file_rows.size(), 24u);
  EXPECT_EQ(qkv.file_rows[3].begin, 16 * 64);
  EXPECT_EQ(qkv.file_rows[4].begin, 8192 + 64);
  EXPECT_EQ(qkv.file_rows[5].begin, 8192 + 8 * 64 + 64);

  const ModelConfig rw = parse(kFalconRw);
  EXPECT_EQ(rw.positions, Positions::alibi);
  EXPECT_EQ(rw.num_key_value_heads, 32);
  EXPECT_EQ(rw.block_order, BlockOrder::sequential);
  EXPECT_TRUE(rw.has_qkv_bias && rw.has_o_bias && rw.has_mlp_bias);
  EXPECT_THAT(refusal(kFalcon40b, {{"parallel_attn", false}}), HasSubstr("parallel_attn"));
  EXPECT_THAT(refusal(kFalcon7b, {{"num_ln_in_parallel_attn", 2}}),
              HasSubstr("num_ln_in_parallel_attn"));
}

// openai-community/gpt2, with fewer layers.
constexpr const char* kGpt2Json = R"({"activation_function": "gelu_new",
  "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256,
  "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
  "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 2,
  "n_positions": 1024, "resid_pdrop": 0.1, "vocab_size": 50257})";

TEST(Families, Gpt2) {
  const ModelConfig config = parse(kGpt2Json);
  EXPECT_EQ(config.norm, Norm::layer);
  EXPECT_EQ(config.positions, Positions::learned);
  EXPECT_EQ(config.activation, Activation::gelu_tanh);
  EXPECT_EQ(config.intermediate_size, 3072);
  EXPECT_EQ(config.attention_scale, 0.125);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(family_of(config).names(config).weight_order, WeightOrder::in_out);
  EXPECT_THAT(refusal(kGpt2Json, {{"scale_attn_by_inverse_layer_idx", true}}),
              HasSubstr("scale_attn_by_inverse_layer_idx is supported only as false"));
  EXPECT_THAT(refusal(kGpt2Json, {{"add_cross_attention", true}}),
              HasSubstr("add_cross_attention"));
  EXPECT_THAT(refusal(kGpt2Json, {{"n_head", 7}}), HasSubstr("n_head must divide"));
  Json unscaled = Json::parse(kGpt2Json);
  unscaled["scale_attn_weights"] = false;
  EXPECT_EQ(parse_model_config(unscaled, "c").attention_scale, 1.0);
}

// EleutherAI/pythia-70m.
constexpr const char* kPythia = R"({"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0,
  "eos_token_id": 0, "hidden_act": "gelu", "hidden_size": 512, "initializer_range": 0.02,
  "intermediate_size": 2048, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048,
  "model_type": "gpt_neox", "num_attention_heads": 8, "num_hidden_layers": 6, "rotary_emb_base":
  10000, "rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "float16",
  "use_parallel_residual": true, "vocab_size": 50304})";

TEST(Families, GptNeoX) {
  const ModelConfig config = parse(kPythia);
  EXPECT_EQ(config.rotary_dim, 16);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.block_order, BlockOrder::parallel);
  EXPECT_EQ(linear_sites(config)[0].file_rows.size(), 24u);
  const Json saved = to_json(config);
  EXPECT_EQ(saved["rotary_pct"], 0.25);
  EXPECT_EQ(saved["rope_parameters"]["partial_rotary_factor"], 0.25);
  EXPECT_THAT(refusal(kPythia, {{"rotary_pct", 0.0}}), HasSubstr("rotary_pct"));
  EXPECT_THAT(refusal(kPythia, {{"rotary_pct", 0.24}}), HasSubstr("must be even"));
}

// Qwen/Qwen2.5-0.5B and Qwen/Qwen3-0.6B, with fewer layers.
constexpr const char* kQwen25 = R"({"architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643,
  "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864,
  "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2",
  "num_attention_heads": 14, "num_hidden_layers": 4, "num_key_value_heads": 2,
  "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
  "tie_word_embeddings": true, "use_mrope": false, "use_sliding_window": false,
  "vocab_size": 151936})";
constexpr const char* kQwen3Json = R"({"attention_bias": false, "bos_token_id": 151643,
  "eos_token_id": 151643, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
  "intermediate_size": 3072, "max_position_embeddings": 32768, "max_window_layers": 28,
  "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 4,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
  "sliding_window": null, "tie_word_embeddings": true, "use_sliding_window": false,
  "vocab_size": 151936})";

TEST(Families, Qwens) {
  const ModelConfig two = parse(kQwen25);
  EXPECT_TRUE(two.has_qkv_bias);
  EXPECT_FALSE(two.has_o_bias || two.has_qk_norm);
  EXPECT_THAT(two.windows, IsEmpty());
  Json json = Json::parse(kQwen25);
  json["use_sliding_window"] = true;
  json["max_window_layers"] = 3;
  json["sliding_window"] = 128;
  EXPECT_THAT(parse_model_config(json, "c").windows, ElementsAre(0, 0, 0, 128));
  const Json saved = to_json(parse_model_config(json, "c"));
  EXPECT_EQ(saved["layer_types"][3], "sliding_attention");
  EXPECT_THAT(parse_model_config(saved, "c").windows, ElementsAre(0, 0, 0, 128));
  json["layer_types"] = {"sliding_attention", "full_attention", "full_attention", "full_attention"};
  EXPECT_THAT(parse_model_config(json, "c").windows, ElementsAre(128, 0, 0, 0));
  json["layer_types"][1] = "chunked_attention";
  EXPECT_THAT(error_of([&] { parse_model_config(json, "c"); }), HasSubstr("chunked_attention"));
  json["layer_types"] = {"sliding_attention", "full_attention", "full_attention", "full_attention"};
  json["use_sliding_window"] = false;
  EXPECT_THAT(error_of([&] { parse_model_config(json, "c"); }), HasSubstr("sliding_window"));

  const ModelConfig three = parse(kQwen3Json);
  EXPECT_TRUE(three.has_qk_norm);
  EXPECT_FALSE(three.has_qkv_bias);
  EXPECT_EQ(three.head_dim, 128);
  EXPECT_EQ(three.rope_theta, 1e6);
  EXPECT_FALSE(three.bos_token_id != 151643);
}

// microsoft/Phi-3-mini-4k-instruct.
constexpr const char* kPhi3Json = R"({"architectures": ["Phi3ForCausalLM"],
  "attention_dropout": 0.0, "auto_map": {}, "bos_token_id": 1, "embd_pdrop": 0.0,
  "eos_token_id": 32000, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02,
  "intermediate_size": 8192, "max_position_embeddings": 4096, "model_type": "phi3",
  "num_attention_heads": 32, "num_hidden_layers": 2, "num_key_value_heads": 32,
  "original_max_position_embeddings": 4096, "pad_token_id": 32000, "resid_pdrop": 0.0,
  "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "sliding_window": 2047,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "vocab_size": 32064})";

TEST(Families, Phi3) {
  const ModelConfig config = parse(kPhi3Json);
  EXPECT_THAT(config.windows, ElementsAre(2047, 2047));
  const auto sites = linear_sites(config);
  ASSERT_EQ(sites.size(), 4u);
  EXPECT_EQ(sites[0].module, "self_attn.qkv_proj");
  EXPECT_EQ(sites[0].outputs, 3 * 3072);
  EXPECT_EQ(sites[2].outputs, 2 * 8192);
  EXPECT_THAT(refusal(kPhi3Json, {{"rope_scaling", {{"type", "longrope"}}}}),
              HasSubstr("longrope"));
  EXPECT_THAT(refusal(kPhi3Json, {{"rope_scaling", {{"type", "yarn"}, {"factor", 2.0}}}}),
              HasSubstr("rope_scaling"));
}

// google/gemma-2-2b, with fewer layers.
constexpr const char* kGemma2Json = R"({"architectures": ["Gemma2ForCausalLM"],
  "attention_bias": false, "attn_logit_softcapping": 50.0, "bos_token_id": 2,
  "cache_implementation": "hybrid", "eos_token_id": 1, "final_logit_softcapping": 30.0,
  "head_dim": 256, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 2304, "initializer_range": 0.02, "intermediate_size": 9216,
  "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
  "num_hidden_layers": 3, "num_key_value_heads": 4, "pad_token_id": 0,
  "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
  "sliding_window": 4096, "vocab_size": 256000})";

TEST(Families, Gemma2) {
  const ModelConfig config = parse(kGemma2Json);
  EXPECT_EQ(config.norm, Norm::rms_one_plus);
  EXPECT_TRUE(config.has_post_norms);
  EXPECT_THAT(config.windows, ElementsAre(4096, 0, 4096));
  EXPECT_EQ(config.attention_softcap, 50.0);
  EXPECT_EQ(config.logits_softcap, 30.0);
  EXPECT_EQ(config.embedding_scale, 48.0);
  EXPECT_EQ(config.attention_scale, 1.0 / 16.0);
  EXPECT_EQ(config.activation, Activation::gelu_tanh);
  EXPECT_TRUE(config.tie_word_embeddings);
  Json json = Json::parse(kGemma2Json);
  json["attn_logit_softcapping"] = nullptr;
  EXPECT_EQ(parse_model_config(json, "c").attention_softcap, 0.0);
  EXPECT_THAT(refusal(kGemma2Json, {{"query_pre_attn_scalar", 0}}),
              HasSubstr("query_pre_attn_scalar"));
  EXPECT_THAT(refusal(kGemma2Json, {{"use_bidirectional_attention", true}}),
              HasSubstr("use_bidirectional_attention"));
}

// google-t5/t5-small, as transformers 4 wrote it, and google/flan-t5-small.
constexpr const char* kT5Small = R"({"architectures": ["T5ForConditionalGeneration"],
  "d_ff": 2048, "d_kv": 64, "d_model": 512, "decoder_start_token_id": 0, "dropout_rate": 0.1,
  "eos_token_id": 1, "initializer_factor": 1.0, "is_encoder_decoder": true,
  "layer_norm_epsilon": 1e-06, "model_type": "t5", "n_positions": 512, "num_heads": 8,
  "num_layers": 6, "output_past": true, "pad_token_id": 0, "relative_attention_num_buckets": 32,
  "task_specific_params": {"summarization": {"num_beams": 4, "prefix": "summarize: "}},
  "vocab_size": 32128})";
constexpr const char* kFlanT5Small = R"({"architectures": ["T5ForConditionalGeneration"],
  "d_ff": 1024, "d_kv": 64, "d_model": 512, "decoder_start_token_id": 0, "dropout_rate": 0.1,
  "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0,
  "is_encoder_decoder": true, "layer_norm_epsilon": 1e-06, "model_type": "t5", "n_positions": 512,
  "num_decoder_layers": 7, "num_heads": 6, "num_layers": 8, "pad_token_id": 0,
  "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32,
  "tie_word_embeddings": false, "vocab_size": 32128})";

TEST(Families, T5AndFlanT5) {
  const ModelConfig small = parse(kT5Small);
  EXPECT_TRUE(small.is_encoder_decoder);
  EXPECT_EQ(small.num_encoder_layers, 6);
  EXPECT_EQ(small.num_hidden_layers, 6);
  EXPECT_EQ(small.positions, Positions::relative);
  EXPECT_EQ(small.relative_max_distance, 128);
  EXPECT_EQ(small.activation, Activation::relu);
  EXPECT_FALSE(small.is_gated);
  EXPECT_TRUE(small.tie_word_embeddings);
  EXPECT_EQ(small.attention_scale, 1.0);
  EXPECT_EQ(small.hidden_scale, 1.0 / std::sqrt(512.0));
  EXPECT_EQ(small.decoder_start_token_id, 0);

  const ModelConfig flan = parse(kFlanT5Small);
  EXPECT_EQ(flan.num_encoder_layers, 8);
  EXPECT_EQ(flan.num_hidden_layers, 7);
  EXPECT_EQ(flan.num_attention_heads * flan.head_dim, 384);
  EXPECT_EQ(flan.activation, Activation::gelu_tanh);
  EXPECT_TRUE(flan.is_gated);
  EXPECT_FALSE(flan.tie_word_embeddings);
  EXPECT_EQ(flan.hidden_scale, 1.0);
  EXPECT_EQ(num_layers(flan), 8 + 2 * 7);
  const std::vector<LayerStack> stacks = layer_stacks(flan);
  ASSERT_EQ(stacks.size(), 3u);
  EXPECT_EQ(stacks[1].prefix(7), "encoder.block.0.");
  EXPECT_EQ(stacks[2].prefix(21), "decoder.block.6.");
  EXPECT_EQ(stacks[2].sites.size(), 4u);
  // As transformers 5 writes it: tied in words, the head not scaled.
  Json saved = Json::parse(kFlanT5Small);
  saved["tie_word_embeddings"] = true;
  saved["scale_decoder_outputs"] = false;
  EXPECT_EQ(parse_model_config(saved, "c").hidden_scale, 1.0);
}

TEST(Families, WhatT5CannotBeIsRefusedByName) {
  const auto expect = [](const char* key, const Json& value) {
    EXPECT_THAT(refusal(kFlanT5Small, {{key, value}}), HasSubstr(key)) << value;
  };
  for (const char* name : {"gated-swiglu", "tanh", "relu-gated", "gated-", "gated-gelu-new", ""}) {
    expect("feed_forward_proj", name);
  }
  for (const int64_t buckets : {0, -32, 2, 30, 65540}) {
    expect("relative_attention_num_buckets", buckets);
  }
  for (const int64_t distance : {0, -1, 16}) expect("relative_attention_max_distance", distance);
  for (const Json& start : {Json(nullptr), Json(-1), Json(32128), Json("pad")}) {
    expect("decoder_start_token_id", start);
  }
  Json unstarted = Json::parse(kFlanT5Small);
  unstarted.erase("decoder_start_token_id");
  EXPECT_THAT(error_of([&] { parse_model_config(unstarted, "c"); }),
              HasSubstr("decoder_start_token_id"));
  for (const int64_t layers : {0, -1, 10'001}) expect("num_layers", layers);
  expect("is_encoder_decoder", false);
  expect("is_decoder", true);
  expect("tie_encoder_decoder", true);
  expect("d_kv", nullptr);
  EXPECT_THAT(refusal(kQwen25, {{"is_encoder_decoder", true}}), HasSubstr("is_encoder_decoder"));
}

TEST(Families, RopeScalingsAreReadAndWritten) {
  Json json = Json::parse(kQwen25);
  json["rope_scaling"] = {
      {"factor", 4.0}, {"original_max_position_embeddings", 8192}, {"type", "yarn"}};
  const ModelConfig yarn = parse_model_config(json, "c");
  EXPECT_EQ(yarn.rope_scaling.type, RopeType::yarn);
  EXPECT_EQ(yarn.rope_scaling.attention_factor, 0.1 * std::log(4.0) + 1.0);
  EXPECT_EQ(yarn.rope_scaling.original_max_position_embeddings, 8192);
  json["rope_scaling"]["mscale"] = 0.707;
  json["rope_scaling"]["mscale_all_dim"] = 0.5;
  EXPECT_DOUBLE_EQ(parse_model_config(json, "c").rope_scaling.attention_factor,
                   (0.0707 * std::log(4.0) + 1.0) / (0.05 * std::log(4.0) + 1.0));
  for (const Json& scaling :
       {Json{{"type", "linear"}, {"factor", 2.0}}, Json{{"type", "dynamic"}, {"factor", 2.0}},
        Json{{"rope_type", "yarn"}, {"factor", 2.0}, {"beta_fast", 16}, {"truncate", false}}}) {
    json["rope_scaling"] = scaling;
    const ModelConfig once = parse_model_config(json, "c");
    const ModelConfig again = parse_model_config(to_json(once), "again");
    EXPECT_EQ(again.rope_scaling.type, once.rope_scaling.type);
    EXPECT_EQ(again.rope_scaling.factor, 2.0);
    EXPECT_EQ(again.rope_scaling.original_max_position_embeddings,
              once.rope_scaling.original_max_position_embeddings);
    EXPECT_EQ(again.rope_scaling.attention_factor, once.rope_scaling.attention_factor);
    EXPECT_EQ(again.rope_scaling.beta_fast, once.rope_scaling.beta_fast);
    EXPECT_EQ(again.rope_scaling.truncate, once.rope_scaling.truncate);
  }
}

TEST(Families, WrittenConfigsReadBackAndKeepWhatTheyHeld) {
  for (const char* text : {kFalcon7b, kFalcon40b, kFalconRw, kGpt2Json, kPythia, kQwen25,
                           kQwen3Json, kPhi3Json, kGemma2Json, kT5Small, kFlanT5Small}) {
    const Json json = Json::parse(text);
    const Json saved = to_json(parse_model_config(json, "config.json"));
    EXPECT_EQ(to_json(parse_model_config(saved, "again")), saved) << saved["model_type"];
    for (const auto& [key, value] : json.items()) {
      if (key == "auto_map" || key == "torch_dtype") continue;
      EXPECT_EQ(saved[key], value) << json["model_type"] << " " << key;
    }
  }
}

TEST(Families, KeysOfRelativesAreRefusedByName) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"num_local_experts", 8},
                                                 {"quantization_config", {{"bits", 4}}},
                                                 {"is_encoder_decoder", true},
                                                 {"attn_logit_softcapping", 50.0}}) {
    EXPECT_THAT(refusal(kPythia, {{key, value}}), HasSubstr(key));
  }
}

}  // namespace
}  // namespace plumb
