#include "core/io/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/core/io/oracle.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As transformers 5 writes it.
Json small_llama() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
    "bos_token_id": 1, "dtype": "bfloat16", "eos_token_id": [2, 7], "head_dim": 8,
    "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.01, "intermediate_size": 172,
    "max_position_embeddings": 512, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 8, "num_hidden_layers": 5, "num_key_value_heads": 4,
    "pad_token_id": null, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
    "tie_word_embeddings": true, "vocab_size": 512, "my_own_key": {"kept": [1]}})");
}

Json llama3_rope() {
  return Json::parse(R"({"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3"})");
}

std::string refusal(const Json& json) {
  return error_of([&] { parse_model_config(json, "config.json"); });
}

std::string refusal_with(const std::string& key, const std::string& value) {
  Json json = small_llama();
  json[key] = Json::parse(value);
  return refusal(json);
}

TEST(ModelConfig, ReadsTransformers5) {
  const ModelConfig config = parse_model_config(small_llama(), "config.json");
  EXPECT_EQ(config.vocab_size, 512);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.intermediate_size, 172);
  EXPECT_EQ(config.num_hidden_layers, 5);
  EXPECT_EQ(config.num_attention_heads, 8);
  EXPECT_EQ(config.num_key_value_heads, 4);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_position_embeddings, 512);
  EXPECT_EQ(config.norm_eps, 1e-5);
  EXPECT_EQ(config.rope_theta, 500000.0);
  EXPECT_EQ(config.rope_scaling.type, RopeType::standard);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.initializer_range, 0.01);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(2, 7));
  EXPECT_FALSE(config.pad_token_id.has_value());
  EXPECT_EQ(config.dtype, "bfloat16");
  EXPECT_THAT(config.architectures, ElementsAre("LlamaForCausalLM"));
}

TEST(ModelConfig, ReadsTransformers4) {
  Json json = small_llama();
  json.erase("rope_parameters");
  json.erase("dtype");
  json["torch_dtype"] = "float16";
  json["rope_theta"] = 10000.0;
  json["rope_scaling"] = nullptr;
  ModelConfig config = parse_model_config(json, "config.json");
  EXPECT_EQ(config.dtype, "float16");
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.rope_scaling.type, RopeType::standard);

  json["rope_scaling"] = llama3_rope();
  config = parse_model_config(json, "config.json");
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.rope_scaling.type, RopeType::llama3);
  EXPECT_EQ(config.rope_scaling.factor, 8.0);
  EXPECT_EQ(config.rope_scaling.low_freq_factor, 1.0);
  EXPECT_EQ(config.rope_scaling.high_freq_factor, 4.0);
  EXPECT_EQ(config.rope_scaling.original_max_position_embeddings, 8192);

  json["rope_scaling"].erase("rope_type");
  json["rope_scaling"]["type"] = "llama3";  // the older name of the key
  EXPECT_EQ(parse_model_config(json, "c").rope_scaling.type, RopeType::llama3);
}

TEST(ModelConfig, MissingKeysTakeTransformersDefaults) {
  const ModelConfig config = parse_model_config(
      Json::parse(R"({"model_type": "llama", "vocab_size": 100, "hidden_size": 48,
                      "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 6})"),
      "config.json");
  EXPECT_EQ(config.num_key_value_heads, 6);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(2));
  Json none = small_llama();
  none["eos_token_id"] = nullptr;
  none["pad_token_id"] = -1;
  EXPECT_THAT(parse_model_config(none, "c").eos_token_ids, IsEmpty());
  EXPECT_FALSE(parse_model_config(none, "c").pad_token_id.has_value());
}

TEST(ModelConfig, MistralSlidesInEveryLayer) {
  Json json = small_llama();
  json["model_type"] = "mistral";
  const auto windows = [&] { return parse_model_config(json, "config.json").windows; };
  json["sliding_window"] = nullptr;
  EXPECT_THAT(windows(), IsEmpty());
  json["sliding_window"] = 511;
  EXPECT_THAT(windows(), ElementsAre(511, 511, 511, 511, 511));
  json.erase("sliding_window");  // MistralConfig's default is 4096
  EXPECT_THAT(windows(), ElementsAre(4096, 4096, 4096, 4096, 4096));
  json["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention",
                         "sliding_attention", "sliding_attention"};
  EXPECT_THAT(refusal(json), HasSubstr("layer_types must be the same in every layer"));
  json["layer_types"] = {"sliding_attention"};
  EXPECT_THAT(refusal(json), HasSubstr("must be a list of num_hidden_layers (5)"));
  json.erase("layer_types");
  json["sliding_window"] = 0;
  EXPECT_THAT(refusal(json), AllOf(HasSubstr("sliding_window"), HasSubstr("at least 1")));
  json["sliding_window"] = nullptr;
  json.erase("num_key_value_heads");
  EXPECT_THAT(refusal(json), HasSubstr("num_key_value_heads must be given"));
}

TEST(ModelConfig, SizesOutOfRangeAreErrors) {
  for (const char* value : {"0", "-1", "2147483648", "1000000000", "64.0", "\"64\"", "true", "[64]",
                            "18446744073709551615", "null"}) {
    for (const char* key : {"hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers",
                            "num_attention_heads"}) {
      EXPECT_THAT(refusal_with(key, value), AllOf(HasSubstr("config.json"), HasSubstr(key)))
          << value;
    }
  }
  EXPECT_THAT(refusal_with("num_hidden_layers", "1000000"), HasSubstr("10000"));
  EXPECT_THAT(refusal_with("head_dim", "7"), HasSubstr("even"));
  EXPECT_THAT(refusal_with("num_key_value_heads", "3"), HasSubstr("must divide"));
  EXPECT_THAT(refusal_with("num_key_value_heads", "16"), HasSubstr("must divide"));
  Json json = small_llama();
  json.erase("head_dim");
  json["num_attention_heads"] = 7;
  EXPECT_THAT(refusal(json), AllOf(HasSubstr("num_attention_heads"), HasSubstr("divide")));
}

TEST(ModelConfig, NumbersOutOfRangeAreErrors) {
  EXPECT_THAT(refusal_with("rms_norm_eps", "0"), AllOf(HasSubstr("rms_norm_eps"), HasSubstr("0")));
  EXPECT_NE(refusal_with("rms_norm_eps", "-1e-5"), "");
  EXPECT_NE(refusal_with("rms_norm_eps", "\"1e-5\""), "");
  EXPECT_THAT(refusal_with("rope_parameters", R"({"rope_theta": 0})"), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal_with("rope_theta", "10000.0"), HasSubstr("must agree"));
  EXPECT_NE(refusal_with("eos_token_id", "512"), "");
  EXPECT_NE(refusal_with("eos_token_id", "[2, -1]"), "");
  EXPECT_NE(refusal_with("eos_token_id", "[2, 4294967298]"), "");
  ModelConfig config = parse_model_config(small_llama(), "c");
  config.rope_theta = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(error_of([&] { check_model_config(config, "c"); }), HasSubstr("rope_theta"));
  TempFolder folder;
  for (const char* theta : {"NaN", "1e400", "Infinity"}) {
    folder.put("config.json", std::string("{\"rope_theta\": ") + theta + "}");
    EXPECT_THAT(error_of([&] { read_model_config(folder.path()); }), HasSubstr("not valid JSON"));
  }
}

TEST(ModelConfig, RopeThatIsNotSupportedIsRefused) {
  EXPECT_THAT(refusal_with("rope_scaling", "null"), "");
  EXPECT_THAT(refusal_with("rope_parameters", R"({"rope_type": "longrope", "factor": 4.0})"),
              AllOf(HasSubstr("rope_parameters.rope_type"),
                    HasSubstr("default, linear, dynamic, llama3 and yarn"), HasSubstr("longrope")));
  EXPECT_THAT(refusal_with("rope_parameters", R"({"full_attention": {"rope_theta": 1e4}})"),
              HasSubstr("rope_parameters.full_attention is not supported"));
  EXPECT_NE(refusal_with("rope_parameters", R"({"partial_rotary_factor": 0.5})"), "");
  EXPECT_NE(refusal_with("rope_parameters", "[]"), "");
  for (const char* type : {"linear", "dynamic"}) {
    EXPECT_THAT(refusal_with("rope_parameters", Json{{"rope_type", type}}.dump()),
                HasSubstr("factor must be given"));
    EXPECT_THAT(refusal_with("rope_parameters", Json{{"rope_type", type}, {"factor", 0.5}}.dump()),
                HasSubstr("factor >= 1"));
  }
  for (const char* bad : {R"({"rope_type": "yarn", "factor": 0.1})",
                          R"({"rope_type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 2})",
                          R"({"rope_type": "yarn", "factor": 4, "attention_factor": 0})"}) {
    EXPECT_THAT(refusal_with("rope_parameters", bad), HasSubstr("yarn rope scaling needs")) << bad;
  }
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    Json rope = llama3_rope();
    rope.erase(key);
    EXPECT_THAT(refusal_with("rope_parameters", rope.dump()), HasSubstr(key));
    rope[key] = -1;
    EXPECT_NE(refusal_with("rope_parameters", rope.dump()), "") << key;
  }
}

TEST(ModelConfig, WhatTheDecoderCannotDoIsRefusedByName) {
  EXPECT_THAT(refusal_with("model_type", "\"opt\""),
              AllOf(HasSubstr("opt"), HasSubstr("llama, mistral, falcon, gpt2")));
  EXPECT_THAT(refusal_with("hidden_act", "\"quick_gelu\""),
              AllOf(HasSubstr("quick_gelu"), HasSubstr("silu")));
  EXPECT_THAT(refusal_with("attention_bias", "1"), HasSubstr("attention_bias"));
  EXPECT_THAT(refusal_with("quantization_config", R"({"bits": 4})"), HasSubstr("quantization"));
  EXPECT_THAT(refusal_with("layer_types", R"(["full_attention", "sliding_attention"])"),
              HasSubstr("layer_types"));
  EXPECT_EQ(refusal_with("layer_types", Json(std::vector<std::string>(5, "full_attention")).dump()),
            "");
  EXPECT_THAT(refusal_with("dtype", "\"float8_e4m3fn\""), HasSubstr("bfloat16"));
  EXPECT_THAT(refusal(Json::parse("[]")), HasSubstr("must be a JSON object"));
}

TEST(ModelConfig, CodeReferencesAreIgnoredAndNotSaved) {
  Json json = small_llama();
  json["auto_map"] = {{"AutoModel", "evil--code.Model"}};
  json["_attn_implementation_internal"] = "evil/kernel";
  const ModelConfig config = parse_model_config(json, "config.json");
  EXPECT_FALSE(to_json(config).contains("auto_map"));
  EXPECT_FALSE(to_json(config).contains("_attn_implementation_internal"));
}

TEST(ModelConfig, SavingKeepsUnknownKeysAndReadsBack) {
  Json json = small_llama();
  json["rope_parameters"] = llama3_rope();
  json["rope_parameters"]["rope_theta"] = 500000.0;
  const ModelConfig config = parse_model_config(json, "config.json");
  const Json saved = to_json(config);
  EXPECT_EQ(saved["my_own_key"], json["my_own_key"]);
  EXPECT_EQ(saved["rope_theta"], 500000.0);
  EXPECT_EQ(to_json(parse_model_config(saved, "again")), saved);
  for (const auto& [key, value] : json.items()) {
    if (key != "rope_parameters") {
      EXPECT_EQ(saved[key], value) << key;
    }
  }
}

TEST(ModelConfig, TransformersReadsWhatIsSaved) {
  ModelConfig config;
  config.vocab_size = 300;
  config.hidden_size = 32;
  config.intermediate_size = 80;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  set_head_dim(16, config);
  config.max_position_embeddings = 16384;
  config.rope_theta = 12345.0;
  config.rope_scaling = {RopeType::llama3, 8.0, 1.0, 4.0, 8192};
  config.tie_word_embeddings = true;
  config.eos_token_ids = {5, 9};
  config.dtype = "bfloat16";
  TempFolder folder;
  folder.put("config.json", to_json(config).dump(2));
  const auto seen = ask_oracle("config " + folder.path());
  if (!seen) GTEST_SKIP() << "no .deps/oracle/bin/python";
  EXPECT_EQ((*seen)["model_type"], "llama");
  EXPECT_EQ((*seen)["vocab_size"], 300);
  EXPECT_EQ((*seen)["head_dim"], 16);
  EXPECT_EQ((*seen)["num_key_value_heads"], 2);
  EXPECT_EQ((*seen)["tie_word_embeddings"], true);
  EXPECT_EQ((*seen)["eos_token_id"], Json({5, 9}));
  EXPECT_EQ((*seen)["bos_token_id"], nullptr);
  EXPECT_EQ((*seen)["dtype"], "bfloat16");
  const Json& rope = (*seen)["rope_parameters"];
  EXPECT_EQ(rope["rope_type"], "llama3");
  EXPECT_EQ(rope["rope_theta"], 12345.0);
  EXPECT_EQ(rope["factor"], 8.0);
  EXPECT_EQ(rope["original_max_position_embeddings"], 8192);
}

TEST(GenerationConfig, ReadsSetsAndOptionals) {
  TempFolder folder;
  EXPECT_THAT(read_generation_config(folder.path()).eos_token_ids, IsEmpty());
  folder.put("generation_config.json",
             R"({"eos_token_id": [128001, 128009], "temperature": 0.6, "top_p": 0.9, "x": 1})");
  const GenerationConfig config = read_generation_config(folder.path());
  EXPECT_THAT(config.eos_token_ids, ElementsAre(128001, 128009));
  EXPECT_EQ(config.temperature, 0.6);
  EXPECT_EQ(config.top_p, 0.9);
  EXPECT_FALSE(config.top_k.has_value());
  EXPECT_EQ(to_json(config)["x"], 1);
  EXPECT_FALSE(to_json(config).contains("top_k"));
  for (const char* bad : {R"({"eos_token_id": "2"})", R"({"top_p": 0})", R"({"top_p": 1.5})",
                          R"({"top_k": -1})", R"({"temperature": "hot"})", "[]"}) {
    folder.put("generation_config.json", bad);
    EXPECT_NE(error_of([&] { read_generation_config(folder.path()); }), "") << bad;
  }
}

}  // namespace
}  // namespace plumb
