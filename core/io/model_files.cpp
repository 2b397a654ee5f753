#include "core/io/model_files.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "core/io/json_quoted.h"
#include "core/log.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::string_view kSuffix = ".safetensors";

std::string in_folder(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

[[noreturn]] void fail_without_weights(const std::string& folder) {
  if (!files::exists(folder)) throw Error(folder + ": no such folder");
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string suffix = entry.path().extension().string();
    if (suffix == ".bin" || suffix == ".pt" || suffix == ".pth" || suffix == ".ckpt") {
      throw Error(folder + ": holds weights only as '" + entry.path().filename().string() +
                  "'; pickles can run code and are not read: convert the model to safetensors "
                  "(save_pretrained(..., safe_serialization=True))");
    }
  }
  throw Error(folder + ": holds neither " + kSingle + " nor " + kIndex);
}

void check_shard_name(const std::string& name, const std::string& index) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool is_plain = name.find_first_not_of(kAllowed) == std::string::npos && name[0] != '.';
  const bool has_suffix = name.size() > kSuffix.size() &&
                          name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
  if (is_plain && has_suffix) return;
  throw Error(index + ": weight_map names the file " + json_quoted(name) +
              "; it must be the name of a .safetensors file in the same folder");
}

// Shard to the tensors that the index promises in it.
std::map<std::string, std::vector<std::string>> shards_of(const Json& index,
                                                          const std::string& path) {
  const bool has_map = index.is_object() && index.contains("weight_map") &&
                       index["weight_map"].is_object() && !index["weight_map"].empty();
  if (!has_map) throw Error(path + ": needs 'weight_map', a map from tensor to file");
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    if (!shard.is_string()) {
      throw Error(path + ": weight_map of '" + tensor + "' must be a file name, not " +
                  shard.dump());
    }
    shards[shard.get<std::string>()].push_back(tensor);
  }
  for (const auto& [shard, tensors] : shards) check_shard_name(shard, path);
  return shards;
}

void check_shard(const SafetensorsFile& file, const std::vector<std::string>& promised,
                 const std::string& index) {
  for (const std::string& name : promised) {
    if (file.find(name) == nullptr) {
      throw Error(file.path() + ": lacks tensor '" + name + "', which " + index + " puts there");
    }
  }
  if (file.entries().size() == promised.size()) return;
  for (const TensorEntry& entry : file.entries()) {
    if (std::find(promised.begin(), promised.end(), entry.name) == promised.end()) {
      throw Error(file.path() + ": holds tensor '" + entry.name + "', which " + index +
                  " does not put there");
    }
  }
}

void warn_of_total_size(const Json& index, std::uint64_t found, const std::string& path) {
  const auto metadata = index.find("metadata");
  if (metadata == index.end() || !metadata->is_object()) return;
  const auto total = metadata->find("total_size");
  if (total == metadata->end() || !total->is_number()) return;
  // Published models exist whose figure is that of another dtype, so this is no error.
  if (total->get<double>() != static_cast<double>(found)) {
    log::warning(path + ": total_size says " + total->dump() + " bytes, the shards hold " +
                 std::to_string(found));
  }
}

std::string shard_name(std::size_t i, std::size_t count) {
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", i + 1, count);
  return name;
}

std::vector<std::vector<TensorSource>> split(const std::vector<TensorSource>& tensors,
                                             std::uint64_t max_shard_bytes) {
  std::vector<std::vector<TensorSource>> shards(1);
  std::uint64_t filled = 0;
  for (const TensorSource& tensor : tensors) {
    const std::uint64_t bytes = tensor_bytes(tensor);
    if (!shards.back().empty() && filled + bytes > max_shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(tensor);
    filled += bytes;
  }
  return shards;
}

}  // namespace

bool ShardedModelFiles::exists(const std::string& folder) {
  return files::exists(in_folder(folder, kSingle)) || files::exists(in_folder(folder, kIndex));
}

ShardedModelFiles ShardedModelFiles::open(const std::string& folder) {
  ShardedModelFiles model;
  model.folder_ = folder;
  const std::string single = in_folder(folder, kSingle);
  const std::string index = in_folder(folder, kIndex);
  if (files::exists(single)) {
    if (files::exists(index)) log::warning(index + ": not read, as " + kSingle + " lies beside it");
    model.add(SafetensorsFile::open(single));
    return model;
  }
  if (!files::exists(index)) fail_without_weights(folder);
  constexpr std::size_t kMaxIndex = std::size_t{1} << 26;
  const Json json = read_json(index, {.max_bytes = kMaxIndex});
  std::uint64_t total = 0;
  for (const auto& [shard, tensors] : shards_of(json, index)) {
    SafetensorsFile file = SafetensorsFile::open(in_folder(folder, shard));
    // Before the check against the index, which could only say "does not put there".
    for (const TensorEntry& entry : file.entries()) {
      total += entry.bytes();
      const auto other = model.index_.find(entry.name);
      if (other != model.index_.end()) {
        throw Error(file.path() + ": tensor '" + entry.name + "' stands in " +
                    model.files_[other->second.file].path() + " too");
      }
    }
    check_shard(file, tensors, index);
    model.add(std::move(file));
  }
  warn_of_total_size(json, total, index);
  return model;
}

void ShardedModelFiles::add(SafetensorsFile file) {
  for (std::size_t i = 0; i < file.entries().size(); ++i) {
    index_.emplace(file.entries()[i].name, Place{files_.size(), i});
  }
  files_.push_back(std::move(file));
}

std::vector<std::string> ShardedModelFiles::names() const {
  std::vector<std::string> names;
  for (const SafetensorsFile& file : files_) {
    for (const TensorEntry& entry : file.entries()) names.push_back(entry.name);
  }
  return names;
}

std::optional<ShardedModelFiles::Tensor> ShardedModelFiles::find(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return std::nullopt;
  const SafetensorsFile& file = files_[found->second.file];
  return Tensor{&file, &file.entries()[found->second.entry]};
}

void ShardedModelFiles::read(const std::string& name, void* destination) const {
  const auto tensor = find(name);
  if (!tensor) throw Error(folder_ + ": the model has no tensor '" + name + "'");
  tensor->file->read(*tensor->entry, destination);
}

void write_sharded(const std::string& folder, const std::vector<TensorSource>& tensors,
                   std::uint64_t max_shard_bytes, const TensorMetadata& metadata) {
  const auto shards = split(tensors, max_shard_bytes);
  const std::string single = in_folder(folder, kSingle);
  if (shards.size() == 1) {
    write_safetensors(single, tensors, metadata);
    return;
  }
  std::uint64_t total = 0;
  std::map<std::string, std::string> weight_map;  // sorted, as save_pretrained writes it
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    write_safetensors(in_folder(folder, name), shards[i], metadata);
    for (const TensorSource& tensor : shards[i]) {
      total += tensor_bytes(tensor);
      weight_map[tensor.name] = name;
    }
  }
  Json index;
  index["metadata"]["total_size"] = total;
  index["weight_map"] = weight_map;
  files::publish(in_folder(folder, kIndex), index.dump(2) + "\n");
  // An older single file would be read in place of the shards.
  files::remove_tree(single);
}

}  // namespace plumb
