// Models of every family against llama.cpp's own conversion of them (tests/oracle/make_gguf.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/gguf/export.h"
#include "core/gguf/model_metadata.h"
#include "core/gguf/t5.h"
#include "core/gguf/tensor_write.h"
#include "core/io/safetensors.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

const std::string kFixtures = "tests/oracle/fixtures/gguf/";

// The model of a fixture without its vocabulary, as the converter wrote it.
GgufFile convert(const std::string& family, const std::string& path, GgmlType type) {
  const std::string folder = kFixtures + family;
  const ModelConfig config = read_model_config(folder);
  const GgufArchitecture& architecture = gguf_architecture(config);
  const auto metadata = model_metadata(config, architecture, family, type);
  const auto files = ShardedModelFiles::open(folder);
  const auto plan = plan_tensors(config, architecture, files, type);
  write_gguf(path, metadata, gguf_sources(plan));
  verify_gguf(path, metadata, plan);
  return GgufFile::open(path);
}

std::vector<float> values_of(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> values(tensor.rows() * tensor.width());
  file.read_rows(tensor, 0, tensor.rows(), values.data());
  return values;
}

void expect_same_tensors(const GgufFile& ours, const GgufFile& theirs) {
  EXPECT_EQ(ours.tensors().size(), theirs.tensors().size());
  for (const GgufTensor& wanted : theirs.tensors()) {
    const GgufTensor* found = ours.find(wanted.name);
    ASSERT_NE(found, nullptr) << wanted.name;
    // T5's small tables of biases stay f32 here, as llama.cpp's quantiser leaves them.
    const bool is_bias_table = wanted.name.ends_with("attn_rel_b.weight");
    EXPECT_EQ(found->type, is_bias_table ? GgmlType::f32 : wanted.type) << wanted.name;
    ASSERT_EQ(found->shape, wanted.shape) << wanted.name;
    const auto got = values_of(ours, *found), want = values_of(theirs, wanted);
    // The converter forms these in f32.
    const double of_rope = wanted.name == "rope_freqs.weight" ? 1e-5 : 0;
    const double tolerance = is_bias_table ? 0x1p-11 : of_rope;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_LE(std::fabs(got[i] - want[i]), tolerance * std::fabs(want[i])) << wanted.name << i;
    }
  }
}

class GgufModel : public testing::TestWithParam<const char*> {};

TEST_P(GgufModel, IsWhatLlamaCppsConverterWrites) {
  const TempFolder folder;
  const auto ours = convert(GetParam(), folder.at("model.gguf"), GgmlType::q8_0);
  const auto theirs = GgufFile::open(kFixtures + GetParam() + "/expected.gguf");
  expect_same_tensors(ours, theirs);
  for (const auto& [key, value] : theirs.metadata()) {
    if (key == "general.size_label") continue;
    const GgufValue* found = find_value(ours.metadata(), key);
    ASSERT_NE(found, nullptr) << key;
    EXPECT_TRUE(*found == value) << key;
  }
}

TEST_P(GgufModel, EveryTypeIsWrittenAndVerified) {
  const TempFolder folder;
  for (const GgmlType type : {GgmlType::f32, GgmlType::f16, GgmlType::bf16, GgmlType::q4_0}) {
    const std::string name(ggml_type_name(type));
    const auto file = convert(GetParam(), folder.at(name), type);
    const auto is_of = [&](GgmlType wanted) {
      return std::any_of(file.tensors().begin(), file.tensors().end(),
                         [&](const GgufTensor& tensor) { return tensor.type == wanted; });
    };
    EXPECT_TRUE(is_of(type)) << name;
    EXPECT_TRUE(is_of(GgmlType::f32)) << name;                         // norms
    EXPECT_EQ(is_of(GgmlType::q8_0), type == GgmlType::q4_0) << name;  // the head
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GgufModel,
                         testing::Values("llama", "llama_tied", "mistral", "falcon_7b",
                                         "falcon_40b", "gpt2", "gpt_neox", "qwen2", "qwen3", "phi3",
                                         "gemma", "gemma2"),
                         [](const auto& info) { return std::string(info.param); });

// ---- T5 ----

class GgufT5 : public testing::TestWithParam<const char*> {};

TEST_P(GgufT5, IsWhatLlamaCppsConverterWrites) {
  const TempFolder folder;
  const std::string model = kFixtures + GetParam();
  const Json json = read_json(model + "/config.json");
  const ConfigValues config(json, "config.json");
  const auto files = ShardedModelFiles::open(model);
  const auto metadata = t5_metadata(config, GetParam(), GgmlType::q8_0);
  auto plan = plan_t5(config, files, GgmlType::q8_0);
  const bool is_tied = json.value("tie_word_embeddings", true);
  // The converter leaves a tied head to llama.cpp, which does not scale what goes into it.
  EXPECT_EQ(plan.back().name, "output.weight");
  EXPECT_FLOAT_EQ(plan.back().factor, is_tied ? 1 / std::sqrt(32.0F) : 1.0F);
  if (is_tied) plan.pop_back();
  write_gguf(folder.at("t5.gguf"), metadata, gguf_sources(plan));
  verify_gguf(folder.at("t5.gguf"), metadata, plan);
  const auto ours = GgufFile::open(folder.at("t5.gguf"));
  const auto theirs = GgufFile::open(model + "/expected.gguf");
  expect_same_tensors(ours, theirs);
  for (const auto& [key, value] : theirs.metadata()) {
    if (key == "general.size_label") continue;
    ASSERT_NE(find_value(ours.metadata(), key), nullptr) << key;
    EXPECT_TRUE(*find_value(ours.metadata(), key) == value) << key;
  }
}

// An adapter's pairs go by the names of the tensors that they are added to.
TEST_P(GgufT5, EveryLinearHasItsTensorInLlamaCppsFile) {
  const std::string model = kFixtures + GetParam();
  const ModelConfig config = read_model_config(model);
  const auto theirs = GgufFile::open(model + "/expected.gguf");
  std::set<std::string> names;
  for (const GgufLinear& linear : t5_linears(config)) {
    const GgufTensor* tensor = theirs.find(linear.name + ".weight");
    ASSERT_NE(tensor, nullptr) << linear.name;
    EXPECT_EQ(tensor->shape, (std::vector<std::int64_t>{linear.outputs, linear.inputs}))
        << linear.name;
    names.insert(linear.name);
  }
  // Two layers of the encoder, one of the decoder with its cross-attention.
  const std::size_t mlp = config.is_gated ? 3 : 2;
  EXPECT_EQ(names.size(), 2 * (4 + mlp) + 4 + 4 + mlp);
}

INSTANTIATE_TEST_SUITE_P(Versions, GgufT5, testing::Values("t5", "t5_v1_1"),
                         [](const auto& info) { return std::string(info.param); });

// ---- refusals ----

Json config_of(const std::string& family) {
  return read_json(kFixtures + family + "/config.json");
}

std::string refusal_of(const Json& json) {
  return error_of([&] {
    const ModelConfig config = parse_model_config(json, "config.json");
    model_metadata(config, gguf_architecture(config), "m", GgmlType::f32);
  });
}

TEST(GgufModelRefusals, WhatLlamaCppCannotComputeIsNamed) {
  using testing::HasSubstr;
  Json dynamic = config_of("qwen2");
  dynamic["rope_parameters"] = {{"rope_type", "dynamic"}, {"rope_theta", 1e4}, {"factor", 2.0}};
  EXPECT_THAT(refusal_of(dynamic), HasSubstr("dynamic rope"));
  Json alibi = config_of("falcon_7b");
  alibi["alibi"] = true;
  EXPECT_THAT(refusal_of(alibi), HasSubstr("ALiBi"));
  Json yarn = config_of("qwen2");
  yarn["rope_parameters"]["beta_fast"] = 16.0;
  EXPECT_THAT(refusal_of(yarn), HasSubstr("beta_fast"));
  Json scalar = config_of("gemma2");
  scalar["query_pre_attn_scalar"] = 64;
  EXPECT_THAT(refusal_of(scalar), HasSubstr("query_pre_attn_scalar"));
}

TEST(GgufModelRefusals, ValuesBeyondATypeNameTheTensor) {
  const TempFolder folder;
  const std::string model = folder.at("model");
  std::filesystem::create_directories(model);
  std::filesystem::copy(kFixtures + "llama_tied/config.json", model + "/config.json");
  const auto file = SafetensorsFile::open(kFixtures + "llama_tied/model.safetensors");
  std::vector<std::vector<char>> held;
  std::vector<TensorSource> tensors;
  for (const TensorEntry& entry : file.entries()) {
    held.emplace_back(entry.bytes());
    file.read(entry, held.back().data());
    if (entry.name.ends_with("up_proj.weight")) held.back()[1] = 0x48;  // bf16 131072 and more
    tensors.push_back(tensor_in_memory(entry.name, entry.dtype, entry.shape, held.back().data()));
  }
  write_safetensors(model + "/model.safetensors", tensors, {});
  const ModelConfig config = read_model_config(model);
  const auto files = ShardedModelFiles::open(model);
  const auto plan = plan_tensors(config, gguf_architecture(config), files, GgmlType::f16);
  const auto message = error_of([&] { write_gguf(folder.at("out.gguf"), {}, gguf_sources(plan)); });
  EXPECT_THAT(message, testing::HasSubstr("blk.0.ffn_up.weight"));
  EXPECT_THAT(message, testing::HasSubstr("bf16 or f32"));
  EXPECT_FALSE(files::exists(folder.at("out.gguf")));
}

// A head that is there but equals the embedding is tied, whatever the config says.
TEST(GgufModelTies, AreDecidedByContent) {
  const ModelConfig config = read_model_config(kFixtures + "llama");
  const auto files = ShardedModelFiles::open(kFixtures + "llama");
  const auto plan = plan_tensors(config, gguf_architecture(config), files, GgmlType::f32);
  const auto has_output = [](const std::vector<PlannedTensor>& tensors) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const PlannedTensor& tensor) { return tensor.name == "output.weight"; });
  };
  EXPECT_TRUE(has_output(plan));

  const TempFolder folder;
  const auto file = SafetensorsFile::open(kFixtures + "llama/model.safetensors");
  std::vector<std::vector<char>> held;
  std::vector<TensorSource> tensors;
  for (const TensorEntry& entry : file.entries()) {
    const bool is_head = entry.name == "lm_head.weight";
    const TensorEntry& from = is_head ? *file.find("model.embed_tokens.weight") : entry;
    held.emplace_back(from.bytes());
    file.read(from, held.back().data());
    tensors.push_back(tensor_in_memory(entry.name, entry.dtype, entry.shape, held.back().data()));
  }
  write_safetensors(folder.at("model.safetensors"), tensors, {});
  const auto tied = ShardedModelFiles::open(folder.path());
  EXPECT_FALSE(has_output(plan_tensors(config, gguf_architecture(config), tied, GgmlType::f32)));
}

// ---- adapters ----

class GgufAdapter : public testing::TestWithParam<const char*> {};

TEST_P(GgufAdapter, IsWhatLlamaCppsConverterWrites) {
  const TempFolder folder;
  const std::string base = kFixtures + GetParam();
  export_gguf_adapter(base + "/adapter", base, folder.at("adapter.gguf"), {"Adapter"});
  const auto ours = GgufFile::open(folder.at("adapter.gguf"));
  const auto theirs = GgufFile::open(base + "/adapter/expected.gguf");
  expect_same_tensors(ours, theirs);
  for (const char* key :
       {"general.architecture", "general.type", "adapter.type", "adapter.lora.alpha"}) {
    ASSERT_NE(find_value(ours.metadata(), key), nullptr) << key;
    EXPECT_TRUE(*find_value(ours.metadata(), key) == *find_value(theirs.metadata(), key)) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, GgufAdapter, testing::Values("llama", "gpt_neox"),
                         [](const auto& info) { return std::string(info.param); });

TEST(GgufAdapterRefusals, AnotherBaseAndBlocksAreRefused) {
  const TempFolder folder;
  const std::string adapter = kFixtures + "llama/adapter";
  const auto refusal = [&](const std::string& base, GgmlType type) {
    const std::string out = folder.at("out.gguf");
    const auto message = error_of([&] {
      export_gguf_adapter(adapter, kFixtures + base, out, {"a", type});
    });
    EXPECT_FALSE(files::exists(out));
    return message;
  };
  EXPECT_THAT(refusal("mistral", GgmlType::f32), testing::HasSubstr("to fit this base"));
  EXPECT_THAT(refusal("gpt2", GgmlType::f32), testing::HasSubstr("is none of this base"));
  EXPECT_THAT(refusal("llama", GgmlType::q8_0), testing::HasSubstr("f32, f16 or bf16"));
}

}  // namespace
}  // namespace plumb
