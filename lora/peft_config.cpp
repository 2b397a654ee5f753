#include "lora/peft_config.h"

#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& key, const Json& value,
                         const std::string& rule) {
  throw Error(path + ": " + key + ": " + rule + ", got " + value.dump());
}

// Keys that change what an adapter computes, each with the values under which it changes nothing.
void check_unsupported(const Json& json, const std::string& path) {
  const std::vector<std::pair<const char*, std::vector<Json>>> harmless = {
      {"use_dora", {nullptr, false}},
      {"bias", {nullptr, "none"}},
      {"rank_pattern", {nullptr, Json::object()}},
      {"alpha_pattern", {nullptr, Json::object()}},
      {"lora_bias", {nullptr, false}},
      {"layer_replication", {nullptr}},
      {"trainable_token_indices", {nullptr}},
      {"target_parameters", {nullptr, Json::array()}}};
  for (const auto& [key, values] : harmless) {
    if (!json.contains(key)) continue;
    bool is_harmless = false;
    for (const auto& value : values) is_harmless = is_harmless || json[key] == value;
    if (!is_harmless) refuse(path, key, json[key], "is not supported");
  }
}

template <class T>
T read(const Json& json, const std::string& path, const char* key, const char* type) {
  if (!json.contains(key)) throw Error(path + ": " + key + ": is missing; it must be " + type);
  try {
    return json[key].get<T>();
  } catch (const nlohmann::json::exception&) {
    refuse(path, key, json[key], std::string("must be ") + type);
  }
}

std::vector<std::string> read_targets(const Json& json) {
  if (!json.contains("target_modules") || !json["target_modules"].is_array()) return {"all-linear"};
  std::vector<std::string> targets;
  for (const auto& target : json["target_modules"]) targets.push_back(target.get<std::string>());
  return targets;
}

}  // namespace

PeftConfig read_peft_config(const std::string& folder) {
  const std::string path = folder + "/adapter_config.json";
  const Json json = read_json(path);
  if (!json.is_object()) throw Error(path + ": must hold an object");
  if (json.value("peft_type", Json()) != "LORA")
    refuse(path, "peft_type", json.value("peft_type", Json()), "must be LORA");
  check_unsupported(json, path);

  PeftConfig config;
  config.options.rank = read<int64_t>(json, path, "r", "a whole number");
  config.options.alpha = read<double>(json, path, "lora_alpha", "a number");
  if (config.options.rank < 1) refuse(path, "r", json["r"], "must be at least 1");
  if (!(config.options.alpha > 0) || !std::isfinite(config.options.alpha)) {
    refuse(path, "lora_alpha", json["lora_alpha"], "must be above 0");
  }
  config.options.dropout =
      json.contains("lora_dropout") ? read<double>(json, path, "lora_dropout", "a number") : 0.0;
  config.options.rslora = json.contains("use_rslora") && json["use_rslora"] == true;
  config.options.targets = read_targets(json);
  config.base_model = json.value("base_model_name_or_path", Json()).is_string()
                          ? json["base_model_name_or_path"].get<std::string>()
                          : "";
  const Json saved = json.value("modules_to_save", Json());
  for (const auto& module : saved.is_array() ? saved : Json::array()) {
    // PEFT lists "classifier" beside "score" for every SEQ_CLS model, whichever it has.
    if (module == "score")
      config.has_score = true;
    else if (module != "classifier")
      refuse(path, "modules_to_save", saved, "may hold score alone");
  }
  return config;
}

namespace {

const char* task_of(const PeftConfig& config) {
  if (config.has_score) return "SEQ_CLS";
  return config.is_text_to_text ? "SEQ_2_SEQ_LM" : "CAUSAL_LM";
}

}  // namespace

void write_peft_config(const PeftConfig& config, const std::string& folder) {
  const LoraOptions& options = config.options;
  const Json json = {
      {"base_model_name_or_path", config.base_model},
      {"bias", "none"},
      {"fan_in_fan_out", config.fan_in_fan_out},
      {"inference_mode", true},
      {"init_lora_weights", true},
      {"lora_alpha", options.alpha},
      {"lora_dropout", options.dropout},
      {"modules_to_save", config.has_score ? Json::array({"score"}) : Json()},
      {"peft_type", "LORA"},
      {"r", options.rank},
      {"target_modules", options.targets},
      {"task_type", task_of(config)},
      {"use_dora", false},
      {"use_rslora", options.rslora},
  };
  files::publish(folder + "/adapter_config.json", json.dump(2) + "\n");
}

}  // namespace plumb
