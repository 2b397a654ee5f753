// The hostile kinds of config.json, in every family: refused by key, or harmless. What only the
// weights can show (a vocabulary of other rows, a head that is tied and present) is refused where
// they are read: tests/recipes/test_bad_input.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/io/model_config.h"
#include "tests/core/io/in_time.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kConfigs = "tests/fuzz/corpus/config";

std::string refusal(const Json& json) {
  return error_in_time([&] { parse_model_config(json, "config.json"); });
}

// Small configs as transformers writes them, one or more a family that is read.
const std::vector<Json>& configs() {
  static const std::vector<Json> all = [] {
    std::vector<Json> read;
    for (const auto& entry : fs::directory_iterator(kConfigs)) {
      const std::string bytes = files::read_file(entry.path().string());
      const Json json = Json::parse(bytes, nullptr, false);
      if (json.is_object() && json.contains("model_type") && refusal(json).empty()) {
        read.push_back(json);
      }
    }
    return read;
  }();
  return all;
}

// The keys of a family that say one of these sizes.
constexpr const char* kHidden[] = {"hidden_size", "n_embd", "d_model"};
constexpr const char* kLayers[] = {"num_hidden_layers", "n_layer", "num_layers",
                                   "num_decoder_layers"};
constexpr const char* kHeads[] = {"num_attention_heads", "n_head", "num_heads"};
constexpr const char* kEps[] = {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"};

// Each config with each of the keys it has set to each of the values: an Error that says `said`.
template <std::size_t N>
void expect_refused(const char* const (&keys)[N], const std::string& said,
                    const std::vector<const char*>& values) {
  int tried = 0;
  for (const Json& good : configs()) {
    for (const char* key : keys) {
      if (!good.contains(key)) continue;
      for (const char* value : values) {
        Json json = good;
        json[key] = Json::parse(value);
        EXPECT_THAT(refusal(json), AllOf(HasSubstr("config.json"), HasSubstr(said)))
            << good["model_type"] << " " << key << " " << value;
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 0);
}

TEST(HostileConfig, TheSeedsAreOfManyFamilies) {
  std::set<std::string> families;
  for (const Json& json : configs()) families.insert(json["model_type"].get<std::string>());
  EXPECT_GE(families.size(), 9u);
}

TEST(HostileConfig, K01_HiddenSize) {
  expect_refused(kHidden, "",
                 {"0", "-1", "2147483648", "1000000000", "1e9", "\"16\"", "null", "[16]"});
}

TEST(HostileConfig, K02_HeadsThatDoNotDivide) {
  for (Json json : configs()) {
    if (json.contains("d_kv")) continue;  // T5's heads have a width of their own
    json.erase("head_dim");
    const bool is_gpt2 = json.contains("n_head");
    json[is_gpt2 ? "n_head" : "num_attention_heads"] = 5;
    EXPECT_THAT(refusal(json), AllOf(HasSubstr("head"), HasSubstr("divide"))) << json["model_type"];
  }
}

TEST(HostileConfig, K03_MoreKeyHeadsThanHeads) {
  for (const char* value : {"8", "3", "0", "-1", "65537"}) {
    for (Json json : configs()) {
      if (!json.contains("num_key_value_heads")) continue;
      json["num_attention_heads"] = 4;
      json["num_key_value_heads"] = Json::parse(value);
      EXPECT_THAT(refusal(json), HasSubstr("num_key_value_heads")) << json["model_type"] << value;
    }
  }
}

TEST(HostileConfig, K04_AMillionLayers) {
  expect_refused(kLayers, "layer",
                 {"1000000", "0", "-1", "9223372036854775807", "18446744073709551616"});
}

TEST(HostileConfig, K05_Heads) {
  expect_refused(kHeads, "head", {"0", "-1", "1000000000", "2.5"});
}

TEST(HostileConfig, K06_RopeTheta) {
  for (Json json : configs()) {
    if (!json.contains("rope_parameters") || json.value("alibi", false)) continue;
    for (const char* value : {"0", "-1", "\"1e4\"", "[]"}) {
      json["rope_parameters"]["rope_theta"] = Json::parse(value);
      EXPECT_THAT(refusal(json), HasSubstr("rope_theta")) << json["model_type"] << value;
    }
  }
  for (const char* value : {"NaN", "1e400", "-Infinity"}) {
    const std::string text = std::string("{\"rope_theta\": ") + value + "}";
    EXPECT_THAT(error_in_time([&] { parse_json(text, "config.json"); }),
                AllOf(HasSubstr("config.json"), HasSubstr("not valid JSON")));
  }
}

TEST(HostileConfig, K07_UnknownRopeType) {
  for (Json json : configs()) {
    if (!json.contains("rope_parameters") || json.value("alibi", false)) continue;
    json["rope_parameters"]["rope_type"] = "quantum";
    EXPECT_THAT(refusal(json), AllOf(HasSubstr("rope_type"), HasSubstr("quantum")))
        << json["model_type"];
  }
}

TEST(HostileConfig, K08_Eps) {
  expect_refused(kEps, "norm_eps", {"0", "-1e-5", "2"});
  expect_refused(kEps, "", {"\"1e-5\"", "[]", "{}"});
}

TEST(HostileConfig, K09_UnknownDtype) {
  constexpr const char* kDtype[] = {"dtype", "torch_dtype"};
  for (const char* key : kDtype) {
    Json json = configs().front();
    json.erase("dtype");
    json.erase("torch_dtype");
    for (const char* value : {"\"float4\"", "16", "[\"float32\"]"}) {
      json[key] = Json::parse(value);
      EXPECT_THAT(refusal(json), HasSubstr("dtype")) << key << value;
    }
  }
}

TEST(HostileConfig, K10_ReferencesToCodeAreIgnored) {
  for (Json json : configs()) {
    json["auto_map"] = {{"AutoModelForCausalLM", "evil/repo--modeling.Evil"}};
    json["_attn_implementation_internal"] = "evil/kernel";
    ASSERT_EQ(refusal(json), "") << json["model_type"];
    const Json saved = to_json(parse_model_config(json, "config.json"));
    EXPECT_FALSE(saved.contains("auto_map"));
    EXPECT_FALSE(saved.contains("_attn_implementation_internal"));
  }
}

TEST(HostileConfig, K11_DuplicateKeysAndHundredMegabytes) {
  const TempFolder folder;
  std::string text = configs().front().dump();
  text.insert(1, "\"model_type\": \"llama\",");
  folder.put("config.json", text);
  EXPECT_THAT(error_in_time([&] { read_model_config(folder.path()); }),
              HasSubstr("duplicate key 'model_type'"));
  fs::resize_file(folder.at("config.json"), 100'000'000);
  EXPECT_THAT(error_in_time([&] { read_model_config(folder.path()); }),
              AllOf(HasSubstr("config.json"), HasSubstr("100000000 bytes")));
}

TEST(HostileConfig, K12_PadThatIsEosIsTaken) {
  for (Json json : configs()) {
    if (!json.contains("eos_token_id") || !json["eos_token_id"].is_number()) continue;
    json["pad_token_id"] = json["eos_token_id"];
    EXPECT_EQ(refusal(json), "") << json["model_type"];
  }
}

// Every key of every family, each value in turn: an Error, or a config that saves as it reads.
TEST(HostileConfig, AnyValueAnywhereIsRefusedOrHarmless) {
  const std::vector<Json> values = {nullptr,
                                    true,
                                    0,
                                    -1,
                                    2147483648,
                                    INT64_MAX,
                                    UINT64_MAX,
                                    1e308,
                                    -0.5,
                                    "",
                                    "x",
                                    Json::array(),
                                    Json::object(),
                                    {1, 2},
                                    {{"rope_type", "yarn"}}};
  for (const Json& good : configs()) {
    for (const auto& [key, unused] : good.items()) {
      for (const Json& value : values) {
        Json json = good;
        json[key] = value;
        if (!refusal(json).empty()) continue;
        const Json saved = to_json(parse_model_config(json, "config.json"));
        EXPECT_EQ(error_of([&] {
                    EXPECT_EQ(to_json(parse_model_config(saved, "saved")), saved) << key << value;
                  }),
                  "")
            << good["model_type"] << key << value;
      }
    }
  }
}

}  // namespace
}  // namespace plumb
