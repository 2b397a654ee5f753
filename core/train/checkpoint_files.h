// The files of one checkpoint folder: tensors in and out of safetensors, and the manifest.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/model/decoder.h"

namespace plumb {

using Hashes = std::map<std::string, std::string>;  // name -> xxh3-128, hex

void write_tensors(const std::string& path, const std::vector<NamedTensor>& tensors);
std::vector<NamedTensor> read_tensors(const std::string& path);

// Hashes of the tensors' bytes in memory.
Hashes hash_tensors(const std::vector<NamedTensor>& tensors);

// The files besides the manifest, in the order they are checked.
inline constexpr const char* kTensorFiles[] = {"tensors.safetensors", "optimizer.safetensors"};
inline constexpr const char* kTextFiles[] = {"state.json", "recipe.yaml"};

// manifest.json of a folder whose other files are written: hashes of the files as they read back,
// of the tensors as they were in memory (so that bytes lost on the way are found), and of itself.
void write_manifest(const std::string& folder, const std::map<std::string, Hashes>& tensors);

// Compares every file with the manifest; an Error (bad_input) names the first file that does not
// match and, in a file of tensors, the tensor.
void verify_manifest(const std::string& folder);

}  // namespace plumb
