#include "lora/peft_io.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/io/family.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/model/tensor_files.h"
#include "lora/linears.h"
#include "lora/peft_config.h"

namespace plumb {
namespace {

const std::string kPrefix = "base_model.model.";
const std::string kScore = kPrefix + "score.weight";

std::string weights_path(const std::string& folder) {
  return folder + "/adapter_model.safetensors";
}

// "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"
std::string tensor_name(const LayerStack& stack, int64_t layer, const LinearSite& site,
                        const char* which) {
  return kPrefix + stack.prefix(layer) + site.module + "." + which + ".weight";
}

// Every linear of every layer.
template <class Visit>
void for_each_site(const ModelConfig& config, const Visit& visit) {
  for (const LayerStack& stack : layer_stacks(config)) {
    for (int64_t layer = stack.first; layer < stack.first + stack.count; ++layer) {
      for (const LinearSite& site : stack.sites) {
        visit(stack, layer, site);
      }
    }
  }
}

at::Tensor read_f32(const SafetensorsFile& file, const TensorEntry& entry) {
  auto tensor = at::empty(entry.shape, at::kFloat);
  read_f32_into(file, entry, tensor);
  return tensor;
}

LowRank read_pair(const SafetensorsFile& file, const TensorEntry* a, const TensorEntry* b,
                  int64_t layer, const LinearSite& site) {
  if (a == nullptr && b == nullptr) return {};
  LowRank pair{a ? read_f32(file, *a) : at::Tensor(), b ? read_f32(file, *b) : at::Tensor()};
  try {
    check_adapter_shape(layer, site, pair);
  } catch (const Error& error) {
    throw Error(file.path() + ": " + error.what());
  }
  return {pair.a, in_memory_order(site, pair.b)};
}

at::Tensor read_score(const SafetensorsFile& file, int64_t C) {
  const auto* entry = file.find(kScore);
  if (entry == nullptr)
    throw Error(file.path() + ": " + kScore + ": is missing, though modules_to_save names score");
  if (entry->shape != std::vector<int64_t>{1, C}) {
    throw Error(file.path() + ": " + kScore + ": must be " + shape_text({1, C}) +
                " for this base, got " + shape_text(entry->shape));
  }
  return read_f32(file, *entry);
}

void check_values(const PeftAdapter& peft, const std::string& folder, UntrainedAdapter untrained) {
  bool any_update = false;
  auto tensors = parameters(peft.adapter);
  if (peft.score.defined()) tensors.push_back({"score", peft.score});
  for (const auto& [name, tensor] : tensors) {
    if (!at::isfinite(tensor).all().item<bool>()) {
      throw Error(
          folder + ": " + name + " holds a value that is not finite; the adapter is not written",
          Exit::non_finite);
    }
    const bool is_b = name.ends_with("lora_B");
    any_update = any_update || (is_b && tensor.ne(0).any().item<bool>());
  }
  if (!any_update && untrained == UntrainedAdapter::refuse) {
    throw Error(
        folder +
        ": every lora_B is zero, so the adapter would change nothing; it is not written. "
        "Was there an update with a learning rate above 0 (the first one of a warm-up has 0)?");
  }
}

bool touches(const Adapter& adapter, const LinearSite& site) {
  return std::any_of(adapter.layers.begin(), adapter.layers.end(), [&](const auto& layer) {
    return layer[static_cast<int>(site.linear)].defined();
  });
}

// target_modules for PEFT, which matches ends of names: the last part of a name where all sites
// that share it are touched, the name within a layer otherwise (GPT-2's mlp.c_proj alone).
std::vector<std::string> targets_of(const Adapter& adapter, const std::vector<LinearSite>& sites) {
  std::vector<std::string> targets;
  for (const LinearSite& site : sites) {
    if (!touches(adapter, site)) continue;
    const std::string name = module_name(site);
    const bool is_whole = std::all_of(sites.begin(), sites.end(), [&](const LinearSite& other) {
      return module_name(other) != name || touches(adapter, other);
    });
    const std::string target = is_whole ? name : site.module;
    if (std::find(targets.begin(), targets.end(), target) == targets.end()) {
      targets.push_back(target);
    }
  }
  return targets;
}

}  // namespace

bool is_adapter_folder(const std::string& folder) {
  return files::exists(folder + "/adapter_config.json");
}

PeftAdapter load_peft(const std::string& folder, const ModelConfig& config) {
  const auto peft_config = read_peft_config(folder);
  const auto file = SafetensorsFile::open(weights_path(folder));
  PeftAdapter peft;
  peft.options = peft_config.options;
  peft.base_model = peft_config.base_model;
  peft.adapter.scale = lora_scale(peft.options);
  peft.adapter.dropout = peft.options.dropout;
  peft.adapter.layers.resize(num_layers(config));

  std::set<std::string> known = {kScore};
  for_each_site(config, [&](const LayerStack& stack, int64_t layer, const LinearSite& site) {
    const auto a_name = tensor_name(stack, layer, site, "lora_A");
    const auto b_name = tensor_name(stack, layer, site, "lora_B");
    known.insert({a_name, b_name});
    peft.adapter.layers[layer][static_cast<int>(site.linear)] =
        read_pair(file, file.find(a_name), file.find(b_name), layer, site);
  });
  for (const auto& entry : file.entries()) {
    if (!known.contains(entry.name)) {
      throw Error(file.path() + ": " + entry.name + " belongs to no linear of this base (" +
                  std::to_string(config.num_hidden_layers) + " layers, " + config.model_type +
                  "): the adapter was made for another one");
    }
  }
  if (parameters(peft.adapter).empty()) {
    throw Error(file.path() + ": holds no lora_A or lora_B");
  }
  if (peft_config.has_score) peft.score = read_score(file, config.hidden_size);
  return peft;
}

void save_peft(const PeftAdapter& peft, const ModelConfig& config, const std::string& folder,
               UntrainedAdapter untrained) {
  check_values(peft, folder, untrained);
  files::create_directories(folder);
  std::vector<TensorSource> tensors;
  for_each_site(config, [&](const LayerStack& stack, int64_t layer, const LinearSite& site) {
    const LowRank& pair = peft.adapter.at(layer, site.linear);
    if (!pair.defined()) return;
    tensors.push_back(tensor_source({tensor_name(stack, layer, site, "lora_A"), pair.a}));
    tensors.push_back(tensor_source(
        {tensor_name(stack, layer, site, "lora_B"), in_file_order(site, pair.b.detach())}));
  });
  if (peft.score.defined()) tensors.push_back(tensor_source({kScore, peft.score}));
  write_safetensors(weights_path(folder), tensors, {{"format", "pt"}});
  PeftConfig written{peft.options, peft.base_model, peft.score.defined()};
  written.options.targets = targets_of(peft.adapter, all_sites(config));
  written.is_text_to_text = config.is_encoder_decoder;
  written.fan_in_fan_out = family_of(config).names(config).weight_order == WeightOrder::in_out;
  write_peft_config(written, folder);
}

}  // namespace plumb
