// rope_theta, rope_scaling and rope_parameters, as transformers' modeling_rope_utils.py reads them.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/io/families/keys.h"

namespace plumb {
namespace {

struct TypeName {
  const char* name;
  RopeType type;
};
constexpr std::array<TypeName, 5> kTypes = {{{"default", RopeType::standard},
                                             {"linear", RopeType::linear},
                                             {"dynamic", RopeType::dynamic},
                                             {"llama3", RopeType::llama3},
                                             {"yarn", RopeType::yarn}}};

RopeType read_type(const ConfigValues& rope) {
  const char* key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string name = rope.string(key, "default");
  for (const TypeName& known : kTypes) {
    if (name == known.name) return known.type;
  }
  rope.fail(key, "is not supported (default, linear, dynamic, llama3 and yarn are)");
}

void refuse_unknown_keys(const Json& json, const ConfigValues& rope) {
  constexpr std::array<std::string_view, 15> kKnown = {"rope_theta",
                                                       "rope_type",
                                                       "type",
                                                       "factor",
                                                       "low_freq_factor",
                                                       "high_freq_factor",
                                                       "partial_rotary_factor",
                                                       "original_max_position_embeddings",
                                                       "attention_factor",
                                                       "beta_fast",
                                                       "beta_slow",
                                                       "mscale",
                                                       "mscale_all_dim",
                                                       "truncate",
                                                       "finetuned"};
  for (const auto& [key, value] : json.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end() && !value.is_null()) {
      rope.fail(key.c_str(), "is not supported");
    }
  }
}

// YaRN's attention temperature (Peng et al. 2023, eq. 22), with DeepSeek's two scales.
double yarn_attention_factor(const ConfigValues& rope, double factor) {
  if (rope.has("attention_factor")) return rope.number("attention_factor");
  const auto scale = [&](double mscale) {
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
  };
  const double mscale = rope.number("mscale", 0.0), all_dim = rope.number("mscale_all_dim", 0.0);
  return mscale != 0.0 && all_dim != 0.0 ? scale(mscale) / scale(all_dim) : scale(1.0);
}

void read_yarn(const ConfigValues& rope, const ModelConfig& config, RopeScaling& scaling) {
  scaling.original_max_position_embeddings =
      rope.integer("original_max_position_embeddings", config.max_position_embeddings);
  // Without a factor: how much longer the context became.
  if (!rope.has("factor") && scaling.original_max_position_embeddings > 0) {
    scaling.factor = static_cast<double>(config.max_position_embeddings) /
                     static_cast<double>(scaling.original_max_position_embeddings);
  }
  scaling.attention_factor = yarn_attention_factor(rope, scaling.factor);
  scaling.beta_fast = rope.number("beta_fast", scaling.beta_fast);
  scaling.beta_slow = rope.number("beta_slow", scaling.beta_slow);
  scaling.truncate = rope.boolean("truncate", scaling.truncate);
}

RopeScaling read_scaling(const ConfigValues& rope, const ModelConfig& config) {
  RopeScaling scaling;
  scaling.type = read_type(rope);
  if (scaling.type == RopeType::standard) return scaling;
  scaling.factor =
      scaling.type == RopeType::yarn ? rope.number("factor", 1.0) : rope.number("factor");
  if (scaling.type == RopeType::dynamic) {
    scaling.original_max_position_embeddings = config.max_position_embeddings;
  } else if (scaling.type == RopeType::llama3) {
    scaling.low_freq_factor = rope.number("low_freq_factor");
    scaling.high_freq_factor = rope.number("high_freq_factor");
    scaling.original_max_position_embeddings = rope.integer("original_max_position_embeddings");
  } else if (scaling.type == RopeType::yarn) {
    read_yarn(rope, config, scaling);
  }
  return scaling;
}

void read_partial(double partial, const ConfigValues& where, const RopeKeys& keys,
                  ModelConfig& config) {
  const char* key = where.has("partial_rotary_factor") || keys.partial == nullptr
                        ? "partial_rotary_factor"
                        : keys.partial;
  if (keys.partial == nullptr && partial != 1.0) where.fail(key, "is supported only as 1.0");
  if (!(partial > 0.0 && partial <= 1.0)) where.fail(key, "must be above 0 and at most 1");
  config.rotary_dim = static_cast<std::int64_t>(static_cast<double>(config.head_dim) * partial);
}

Json scaling_json(const RopeScaling& scaling) {
  const auto name = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeName& type) { return type.type == scaling.type; });
  Json json = {{"rope_type", name->name}};
  if (scaling.type == RopeType::standard) return json;
  json["factor"] = scaling.factor;
  if (scaling.type == RopeType::llama3) {
    json["low_freq_factor"] = scaling.low_freq_factor;
    json["high_freq_factor"] = scaling.high_freq_factor;
  }
  if (scaling.type == RopeType::yarn) {
    json["attention_factor"] = scaling.attention_factor;
    json["beta_fast"] = scaling.beta_fast;
    json["beta_slow"] = scaling.beta_slow;
    json["truncate"] = scaling.truncate;
  }
  if (scaling.type == RopeType::llama3 || scaling.type == RopeType::yarn) {
    json["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  }
  return json;
}

}  // namespace

void read_rope(const ConfigValues& values, const RopeKeys& keys, ModelConfig& config) {
  config.rope_theta = values.number(keys.theta, config.rope_theta);
  const double theta_beside = config.rope_theta;
  double partial = keys.default_partial;
  if (values.has("partial_rotary_factor")) partial = values.number("partial_rotary_factor");
  if (keys.partial != nullptr) partial = values.number(keys.partial, partial);
  read_partial(partial, values, keys, config);
  const char* key = values.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!values.has(key)) return;
  const Json& json = *values.find(key);
  const ConfigValues rope(json, values.source(), std::string(key) + ".");
  refuse_unknown_keys(json, rope);
  config.rope_scaling = read_scaling(rope, config);
  config.rope_theta = rope.number("rope_theta", config.rope_theta);
  read_partial(rope.number("partial_rotary_factor", partial), rope, keys, config);
  if (values.has(keys.theta) && theta_beside != config.rope_theta) {
    values.fail(keys.theta, "must agree with " + std::string(key) + ".rope_theta (" +
                                std::to_string(config.rope_theta) + ")");
  }
}

// transformers 5 reads rope_parameters, 4 the others; they say the same.
void write_rope(const ModelConfig& config, const RopeKeys& keys, Json& json) {
  const bool is_scaled = config.rope_scaling.type != RopeType::standard;
  json[keys.theta] = config.rope_theta;
  json["rope_scaling"] = is_scaled ? scaling_json(config.rope_scaling) : Json(nullptr);
  Json parameters = scaling_json(config.rope_scaling);
  parameters["rope_theta"] = config.rope_theta;
  if (keys.partial != nullptr) {
    const double partial =
        static_cast<double>(config.rotary_dim) / static_cast<double>(config.head_dim);
    parameters["partial_rotary_factor"] = partial;
    json[keys.partial] = partial;
  }
  json["rope_parameters"] = parameters;
}

}  // namespace plumb
