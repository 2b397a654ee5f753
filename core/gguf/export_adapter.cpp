#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/gguf/export.h"
#include "core/gguf/model_metadata.h"
#include "core/gguf/t5.h"
#include "core/gguf/tensor_rows.h"
#include "core/gguf/tensor_write.h"
#include "core/io/config_values.h"

namespace plumb {
namespace {

const std::string kPrefix = "base_model.model.";

// llama.cpp scales by alpha / rank; with rank-stabilised LoRA PEFT scales by alpha / sqrt(rank).
double alpha_for_llama(const std::string& folder) {
  const std::string path = folder + "/adapter_config.json";
  const Json json = read_json(path);
  const ConfigValues values(json, path);
  if (values.string("peft_type", "") != "LORA") values.fail("peft_type", "must be LORA");
  for (const char* key : {"use_dora", "lora_bias"}) {
    if (values.boolean(key, false)) values.fail(key, "has no counterpart in a GGUF adapter");
  }
  for (const char* key : {"rank_pattern", "alpha_pattern"}) {
    const Json* pattern = values.find(key);
    if (pattern != nullptr && !pattern->empty()) {
      values.fail(key, "has no counterpart in a GGUF adapter");
    }
  }
  const double alpha = values.number("lora_alpha");
  const auto rank = static_cast<double>(values.integer("r"));
  return values.boolean("use_rslora", false) ? alpha * std::sqrt(rank) : alpha;
}

// lora_A and lora_B of one module.
struct Pair {
  const TensorEntry* a = nullptr;
  const TensorEntry* b = nullptr;
};

std::map<std::string, Pair> pairs_of(const SafetensorsFile& file) {
  std::map<std::string, Pair> pairs;
  for (const TensorEntry& entry : file.entries()) {
    const bool is_a = entry.name.ends_with(".lora_A.weight");
    const bool is_b = entry.name.ends_with(".lora_B.weight");
    if ((!is_a && !is_b) || !entry.name.starts_with(kPrefix)) {
      throw Error(
          file.path() + ": tensor '" + entry.name +
          "' has no place in a GGUF adapter, which holds lora_A and lora_B of linears; merge "
          "the adapter and export the model instead");
    }
    constexpr std::size_t kEnd = std::string_view(".lora_A.weight").size();
    const std::string module =
        entry.name.substr(kPrefix.size(), entry.name.size() - kPrefix.size() - kEnd);
    (is_a ? pairs[module].a : pairs[module].b) = &entry;
  }
  return pairs;
}

void check_pair(const SafetensorsFile& file, const GgufLinear& linear, const Pair& pair) {
  const bool is_whole = pair.a != nullptr && pair.b != nullptr && pair.a->shape.size() == 2 &&
                        pair.b->shape.size() == 2 && pair.a->shape[1] == linear.inputs &&
                        pair.b->shape[0] == linear.outputs && pair.a->shape[0] == pair.b->shape[1];
  if (is_whole) return;
  throw Error(file.path() + ": module '" + linear.module + "' must have lora_A (R, " +
              std::to_string(linear.inputs) + ") and lora_B (" + std::to_string(linear.outputs) +
              ", R) to fit this base");
}

bool is_zero(const PlannedTensor& tensor) {
  const TensorRows rows(tensor);
  std::vector<float> values(tensor.rows() * tensor.width());
  rows.read(0, tensor.rows(), values.data());
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
}

// The base as llama.cpp names it.
struct Base {
  ModelConfig config;
  std::string architecture;
  std::vector<GgufLinear> linears;
};

Base base_of(const std::string& folder) {
  Base base{.config = read_model_config(folder), .architecture = {}, .linears = {}};
  if (base.config.is_encoder_decoder) {
    const Json json = read_json(folder + "/config.json");
    t5_metadata(ConfigValues(json, folder + "/config.json"), "", GgmlType::f32);  // or refuses
    base.architecture = "t5";
    base.linears = t5_linears(base.config);
    return base;
  }
  const GgufArchitecture& architecture = gguf_architecture(base.config);
  base.architecture = architecture.name;
  base.linears = gguf_linears(base.config, architecture);
  return base;
}

std::vector<PlannedTensor> plan_adapter(const Base& base, const SafetensorsFile& file,
                                        GgmlType type) {
  auto pairs = pairs_of(file);
  std::vector<PlannedTensor> plan;
  bool changes_something = false;
  for (const GgufLinear& linear : base.linears) {
    const auto found = pairs.find(linear.module);
    if (found == pairs.end()) continue;
    check_pair(file, linear, found->second);
    const auto& [a, b] = found->second;
    plan.push_back({.name = linear.name + ".weight.lora_a",
                    .type = type,
                    .shape = a->shape,
                    .from = {&file, a}});
    plan.push_back({.name = linear.name + ".weight.lora_b",
                    .type = type,
                    .shape = b->shape,
                    .from = {&file, b},
                    .file_row = linear.file_row});
    changes_something = changes_something || !is_zero(plan.back());
    pairs.erase(found);
  }
  if (!pairs.empty()) {
    throw Error(file.path() + ": module '" + pairs.begin()->first + "' is none of this base (" +
                base.config.model_type + ", " + std::to_string(base.config.num_hidden_layers) +
                " layers): the adapter was made for another one");
  }
  if (!changes_something) {
    throw Error(file.path() + ": every lora_B is zero: the adapter would change nothing");
  }
  return plan;
}

}  // namespace

void export_gguf_adapter(const std::string& adapter_folder, const std::string& base_folder,
                         const std::string& path, const GgufExport& options) {
  if (ggml_block_values(options.type) > 1) {
    throw Error("export --format gguf: an adapter is f32, f16 or bf16, not " +
                    std::string(ggml_type_name(options.type)),
                Exit::usage);
  }
  const Base base = base_of(base_folder);
  const auto file = SafetensorsFile::open(adapter_folder + "/adapter_model.safetensors");
  const auto plan = plan_adapter(base, file, options.type);
  const GgufMetadata metadata = {
      {"general.architecture", base.architecture},
      {"general.type", std::string("adapter")},
      {"general.name", options.name},
      {"general.file_type", file_type_number(options.type)},
      {"adapter.type", std::string("lora")},
      {"adapter.lora.alpha", static_cast<float>(alpha_for_llama(adapter_folder))}};
  files::publish_path(path, [&](const std::string& temporary) {
    write_gguf(temporary, metadata, gguf_sources(plan));
    verify_gguf(temporary, metadata, plan);
  });
}

}  // namespace plumb
