#include "recipes/cli/info_command.h"

#include <algorithm>
#include <iostream>
#include <map>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "core/io/linear_sites.h"
#include "core/io/model_config.h"
#include "core/io/model_files.h"
#include "core/io/position_limit.h"
#include "core/text/tokenizer.h"
#include "core/train/human.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/references.h"

namespace plumb {
namespace {

struct InfoOptions {
  bool json = false;
  bool tensors = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("tensors", tensors, "every tensor with its shape and type");
    v("json", json, "one JSON object on stdout");
  }
};

void add_tensors(Json& about, const std::vector<SafetensorsFile>& files,
                 const InfoOptions& options) {
  std::uint64_t elements = 0, bytes = 0;
  std::map<std::string, std::uint64_t> by_type;
  Json list = Json::array();
  for (const auto& file : files) {
    for (const auto& entry : file.entries()) {
      std::uint64_t count = entry.bytes() / dtype_size(entry.dtype);
      elements += count;
      bytes += entry.bytes();
      by_type[std::string(dtype_name(entry.dtype))] += count;
      if (options.tensors) {
        list.push_back(
            {{"name", entry.name}, {"dtype", dtype_name(entry.dtype)}, {"shape", entry.shape}});
      }
    }
  }
  about["parameters"] = elements;
  about["bytes"] = bytes;
  about["dtypes"] = by_type;
  if (options.tensors) about["tensors"] = list;
}

void add_tokenizer(Json& about, const std::string& folder) {
  if (!files::exists(folder + "/tokenizer.json")) return;
  const auto tokenizer = Tokenizer::load(folder);
  Json json = {{"vocabulary", tokenizer.vocab_size()}};
  const auto add = [&](const char* key, std::optional<std::int32_t> id) {
    if (id) json[key] = {{"id", *id}, {"token", tokenizer.id_to_token(*id)}};
  };
  add("bos", tokenizer.bos_id());
  add("eos", tokenizer.eos_id());
  add("pad", tokenizer.pad_id());
  json["chat_template"] = !tokenizer.jinja_template().empty();
  about["tokenizer"] = json;
}

// The model's linears as PEFT names them, each name once.
Json lora_targets(const ModelConfig& config) {
  Json targets = Json::array();
  for (const LayerStack& stack : layer_stacks(config)) {
    for (const LinearSite& site : stack.sites) {
      const Json name = site.module.substr(site.module.rfind('.') + 1);
      if (std::find(targets.begin(), targets.end(), name) == targets.end()) targets.push_back(name);
    }
  }
  return targets;
}

Json about_model(const std::string& folder, const InfoOptions& options) {
  const auto config = read_model_config(folder);
  Json about = {{"kind", "model"},
                {"model_type", config.model_type},
                {"architectures", config.architectures},
                {"layers", config.num_hidden_layers},
                {"hidden_size", config.hidden_size},
                {"intermediate_size", config.intermediate_size},
                {"heads", config.num_attention_heads},
                {"key_value_heads", config.num_key_value_heads},
                {"head_dim", config.head_dim},
                {"vocabulary", config.vocab_size},
                {"tied_head", config.tie_word_embeddings},
                {"lora_targets", lora_targets(config)}};
  if (config.is_encoder_decoder) about["encoder_layers"] = config.num_encoder_layers;
  // Relative positions have no end.
  if (config.positions != Positions::relative) about["context"] = position_limit(config);
  add_tensors(about, ShardedModelFiles::open(folder).files(), options);
  add_tokenizer(about, folder);
  return about;
}

Json about_adapter(const std::string& folder, const InfoOptions& options) {
  const Json config = read_json(folder + "/adapter_config.json");
  Json about = {{"kind", "adapter"}};
  for (const char* key : {"base_model_name_or_path", "task_type", "r", "lora_alpha", "lora_dropout",
                          "target_modules", "modules_to_save", "use_rslora"}) {
    if (config.contains(key)) about[key] = config[key];
  }
  std::vector<SafetensorsFile> files;
  files.push_back(SafetensorsFile::open(folder + "/adapter_model.safetensors"));
  add_tensors(about, files, options);
  if (files::exists(folder + "/reward.json")) about["reward"] = read_json(folder + "/reward.json");
  return about;
}

Json about_run(const std::string& folder) {
  Json about = {{"kind", "run"}};
  const bool done = files::exists(folder + "/result.json");
  about["finished"] = done;
  if (done) about["result"] = read_json(folder + "/result.json");
  if (files::exists(folder + "/data.json")) about["data"] = read_json(folder + "/data.json");
  return about;
}

void print(const Json& about, const std::string& indent) {
  for (const auto& [key, value] : about.items()) {
    if (value.is_object()) {
      std::cout << indent << key << "\n";
      print(value, indent + "  ");
      continue;
    }
    std::string line = indent + key;
    line.resize(std::max<std::size_t>(line.size() + 1, 26), ' ');
    const bool is_bytes = key == "bytes" || key == "peak_memory_bytes";
    std::cout << line
              << (value.is_string() ? value.get<std::string>()
                  : is_bytes        ? human_bytes(value.get<double>())
                                    : value.dump())
              << "\n";
  }
}

}  // namespace

std::string info_help() {
  InfoOptions options;
  return "Flags\n" + flags_help(FieldList::of(options));
}

int info(const Arguments& arguments) {
  InfoOptions options;
  const auto words = parse_flags(arguments, FieldList::of(options));
  if (words.size() != 1) throw Error("plumb info takes one FOLDER", Exit::usage);
  const std::string folder = resolve_reference(words[0], hub::Need::model, Telling::progress);
  Json about;
  if (files::exists(folder + "/adapter_config.json")) {
    about = about_adapter(folder, options);
  } else if (files::exists(folder + "/config.json")) {
    about = about_model(folder, options);
  } else if (files::exists(folder + "/recipe.yaml")) {
    about = about_run(folder);
  } else {
    throw Error(folder +
                ": is no model (config.json), adapter (adapter_config.json) or run (recipe.yaml)");
  }
  if (options.json) {
    std::cout << about.dump() << "\n";
  } else {
    print(about, "");
  }
  return 0;
}

}  // namespace plumb
