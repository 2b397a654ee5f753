// The weights of a Hugging Face model folder: `model.safetensors`, or the shards that
// `model.safetensors.index.json` names. Files of other formats (pickles) are refused.
#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/io/safetensors.h"

namespace plumb {

class ShardedModelFiles {
 public:
  struct Tensor {
    const SafetensorsFile* file = nullptr;
    const TensorEntry* entry = nullptr;
  };

  // Throws Error when the folder holds no safetensors weights, when index and shards disagree, when
  // a tensor stands in two shards, or when the index names anything but a plain file name here. A
  // link is followed, as the cache of huggingface_hub needs (snapshots/REV/x -> ../../blobs/HASH).
  static ShardedModelFiles open(const std::string& folder);
  static bool exists(const std::string& folder);  // either form

  const std::string& folder() const { return folder_; }
  const std::vector<SafetensorsFile>& files() const { return files_; }
  std::vector<std::string> names() const;                       // all tensors, file by file
  std::optional<Tensor> find(const std::string& name) const;    // nullopt: not in the model
  void read(const std::string& name, void* destination) const;  // as SafetensorsFile::read

 private:
  ShardedModelFiles() = default;
  void add(SafetensorsFile file);

  struct Place {
    std::size_t file;
    std::size_t entry;
  };
  std::string folder_;
  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string, Place> index_;
};

constexpr std::uint64_t kDefaultShardBytes = 5'000'000'000;  // as save_pretrained

// Writes `model.safetensors`, or shards of at most `max_shard_bytes` of tensors (one tensor may be
// larger) named model-00001-of-0000N.safetensors and then their index with total_size.
void write_sharded(const std::string& folder, const std::vector<TensorSource>& tensors,
                   std::uint64_t max_shard_bytes = kDefaultShardBytes,
                   const TensorMetadata& metadata = {{"format", "pt"}});

}  // namespace plumb
