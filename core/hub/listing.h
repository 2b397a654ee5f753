// What a repository on the hub holds at one commit, and which of it a model needs.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub/digest.h"

namespace plumb::hub {

struct RemoteFile {
  std::string path;                   // is_safe_path
  std::optional<std::uint64_t> size;  // bytes; servers that mirror the hub may leave it out
  Digest digest;                      // empty hex: left out as well
};

struct Listing {
  std::string commit;  // 40 hex digits
  std::vector<RemoteFile> files;

  const RemoteFile* find(std::string_view path) const;
};

// The answer of GET /api/models/REPO/revision/REVISION?blobs=true. Any bytes: a listing whose
// paths, sizes and digests are well-formed, or Error naming `source`. Files with unsafe paths are
// an error, not left out: a server that names one is not to be believed about the others.
Listing parse_listing(std::string_view json, const std::string& source);

// What a reference stands for decides what is fetched.
enum class Need {
  model,      // config, tokenizer, weights; of an adapter's repository the adapter
  adapter,    // adapter_config.json, adapter_model.safetensors and what lies beside them
  tokenizer,  // config, tokenizer and chat template, no weights
};

// The files to fetch first: all small ones, the weights of a single file, the index of a sharded
// one. Throws Error naming `source` when the repository has no weights that are read (only
// pickles, only GGUF) or no adapter.
std::vector<RemoteFile> wanted_files(const Listing& listing, Need need, const std::string& source);

// The shards that the bytes of an index name, each as the listing has it. Throws Error when the
// index is malformed or names a file that is not in the listing.
std::vector<RemoteFile> wanted_shards(const Listing& listing, std::string_view index,
                                      const std::string& source);

constexpr const char* kSingleWeights = "model.safetensors";
constexpr const char* kWeightsIndex = "model.safetensors.index.json";
constexpr const char* kAdapterConfig = "adapter_config.json";
constexpr const char* kAdapterWeights = "adapter_model.safetensors";

}  // namespace plumb::hub
