#include "core/train/checkpoint_files.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/hash.h"
#include "core/io/json.h"
#include "core/io/safetensors.h"
#include "core/model/tensor_files.h"

namespace plumb {
namespace {

constexpr int64_t kFormat = 1;

// The tensor itself when it lies as the file wants it, else a copy that does.
at::Tensor plain(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU).contiguous();
}

Json to_json(const Hashes& hashes) {
  Json json = Json::object();
  for (const auto& [name, hash] : hashes) json[name] = hash;
  return json;
}

[[noreturn]] void damaged(const std::string& place, const std::string& why) {
  throw Error(place + " " + why +
              ": the checkpoint is damaged. Remove its folder to go on from the one before");
}

// Finds the tensor that changed in a file whose hash does not match.
void blame_tensor(const std::string& path, const Json& expected) {
  std::vector<NamedTensor> tensors;
  try {
    tensors = read_tensors(path);
  } catch (const Error& error) {
    damaged(path, std::string("does not match its hash in manifest.json (") + error.what() + ")");
  }
  for (const auto& [name, hash] : hash_tensors(tensors)) {
    if (expected.value(name, std::string()) != hash) {
      damaged(path + ": tensor '" + name + "'", "does not match its hash in manifest.json");
    }
  }
}

Json read_manifest(const std::string& folder) {
  const std::string path = folder + "/manifest.json";
  Json manifest;
  try {
    manifest = read_json(path);
  } catch (const Error& error) {
    damaged(path, std::string("cannot be read (") + error.what() + ")");
  }
  const bool whole = manifest.is_object() && manifest.contains("self") &&
                     manifest["self"].is_string() && files::read_file(path) == manifest.dump(1);
  if (!whole) damaged(path, "is not as it was written");
  const std::string self = manifest["self"];
  manifest.erase("self");
  if (hash_hex(manifest.dump()) != self) damaged(path, "does not match its own hash");
  if (manifest.value("format", int64_t{0}) != kFormat) {
    throw Error(path + ": format " + manifest.value("format", Json()).dump() +
                "; this plumb reads format " + std::to_string(kFormat));
  }
  return manifest;
}

}  // namespace

void write_tensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::vector<TensorSource> sources;
  for (const NamedTensor& named : tensors) {
    sources.push_back(tensor_source({named.name, plain(named.tensor)}));
  }
  write_safetensors(path, sources, {});
}

std::vector<NamedTensor> read_tensors(const std::string& path) {
  const auto file = SafetensorsFile::open(path);
  std::vector<NamedTensor> tensors;
  for (const TensorEntry& entry : file.entries()) {
    tensors.push_back({entry.name, read_tensor(file, entry)});
  }
  return tensors;
}

Hashes hash_tensors(const std::vector<NamedTensor>& tensors) {
  Hashes hashes;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = plain(tensor);
    hashes[name] = Hasher().update(bytes.const_data_ptr(), bytes.nbytes()).hex();
  }
  return hashes;
}

void write_manifest(const std::string& folder, const std::map<std::string, Hashes>& tensors) {
  Json manifest;
  manifest["format"] = kFormat;
  for (const char* file : kTensorFiles) manifest["files"][file] = hash_file(folder + "/" + file);
  for (const char* file : kTextFiles) manifest["files"][file] = hash_file(folder + "/" + file);
  for (const auto& [file, hashes] : tensors) manifest["tensors"][file] = to_json(hashes);
  manifest["self"] = hash_hex(manifest.dump());
  files::publish(folder + "/manifest.json", manifest.dump(1));
}

void verify_manifest(const std::string& folder) {
  const Json manifest = read_manifest(folder);
  const Json hashes = manifest.value("files", Json::object());
  const Json tensors = manifest.value("tensors", Json::object());
  const auto matches = [&](const std::string& file) {
    const std::string path = folder + "/" + file;
    if (!files::exists(path)) damaged(path, "is missing");
    return hash_file(path) == hashes.value(file, std::string());
  };
  for (const std::string file : kTensorFiles) {
    if (matches(file)) continue;
    blame_tensor(folder + "/" + file, tensors.value(file, Json::object()));
    damaged(folder + "/" + file, "does not match its hash in manifest.json (its header changed)");
  }
  for (const std::string file : kTextFiles) {
    if (!matches(file)) damaged(folder + "/" + file, "does not match its hash in manifest.json");
  }
}

}  // namespace plumb
