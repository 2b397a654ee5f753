#include "core/hub/listing.h"

#include <set>

#include "core/error.h"
#include "core/hub/reference.h"
#include "core/io/json.h"
#include "core/io/json_quoted.h"

namespace plumb::hub {
namespace {

constexpr std::size_t kMostFiles = 100'000;
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 50;

[[noreturn]] void refuse(const std::string& source, const std::string& problem) {
  throw Error(source + ": the server's list of files " + problem +
              ": it is no Hugging Face hub, or it is broken (HF_ENDPOINT)");
}

// A map's string at `key`; empty when it is absent.
std::string text_at(const Json& map, const char* key) {
  const auto found = map.find(key);
  return found != map.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<std::uint64_t> size_at(const Json& map, const std::string& source) {
  const auto found = map.find("size");
  if (found == map.end() || found->is_null()) return std::nullopt;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > kLargestFile) {
    refuse(source, "gives the size " + found->dump().substr(0, 40));
  }
  return found->get<std::uint64_t>();
}

Digest digest_at(const Json& map, const char* key, DigestKind kind, const std::string& source) {
  const std::string hex = text_at(map, key);
  if (hex.empty()) return {};
  const Digest digest = digest_from_etag(hex);
  if (digest.hex != hex || digest.kind != kind) {
    refuse(source, std::string("gives ") + key + " " + json_quoted(hex) +
                       ", which is no checksum of that kind");
  }
  return digest;
}

RemoteFile parse_file(const Json& entry, const std::string& source) {
  if (!entry.is_object()) refuse(source, "holds an entry that is no map");
  RemoteFile file;
  file.path = text_at(entry, "rfilename");
  if (!is_safe_path(file.path)) {
    refuse(source, "names " + json_quoted(file.path) + ", which is no plain path inside a folder");
  }
  const auto lfs = entry.find("lfs");
  if (lfs != entry.end() && lfs->is_object()) {
    file.size = size_at(*lfs, source);
    file.digest = digest_at(*lfs, "sha256", DigestKind::sha256, source);
  } else {
    file.digest = digest_at(entry, "blobId", DigestKind::git_blob, source);
  }
  if (!file.size) file.size = size_at(entry, source);
  return file;
}

bool is_small_file_of_a_model(std::string_view path) {
  static const std::set<std::string_view> kNames = {"config.json",
                                                    "generation_config.json",
                                                    "special_tokens_map.json",
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "added_tokens.json",
                                                    "tokenizer.model",
                                                    "spiece.model",
                                                    "sentencepiece.bpe.model",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "vocab.txt",
                                                    "tekken.json",
                                                    "chat_template.jinja",
                                                    "chat_template.json",
                                                    "reward.json"};
  const bool is_template =
      path.starts_with("additional_chat_templates/") && path.ends_with(".jinja");
  const bool is_tiktoken = path.ends_with(".tiktoken") && path.find('/') == path.npos;
  return kNames.contains(path) || is_template || is_tiktoken;
}

[[noreturn]] void refuse_without_weights(const Listing& listing, const std::string& source) {
  for (const RemoteFile& file : listing.files) {
    const std::string_view path = file.path;
    if (path.ends_with(".bin") || path.ends_with(".pt") || path.ends_with(".pth")) {
      throw Error(source + ": holds weights only as '" + file.path +
                  "'; pickles can run code and are not read. Look for a revision with safetensors "
                  "(often an open pull request: @refs/pr/N), or convert the model with "
                  "save_pretrained and give the folder");
    }
    if (path.ends_with(".gguf")) {
      throw Error(source + ": holds weights only as GGUF ('" + file.path +
                  "'), which is for inference; name the repository that it was made from");
    }
  }
  throw Error(source + ": holds neither " + kSingleWeights + " nor " + kWeightsIndex + " nor " +
              kAdapterWeights);
}

// The file of weights to fetch for `need`: its name, or an Error.
const RemoteFile& weights_of(const Listing& listing, Need need, const std::string& source) {
  if (need == Need::model) {
    // In the order in which they are opened (core/io/model_files.h).
    for (const char* name : {kSingleWeights, kWeightsIndex}) {
      if (const RemoteFile* file = listing.find(name)) return *file;
    }
  }
  if (listing.find(kAdapterConfig) != nullptr) {
    if (const RemoteFile* file = listing.find(kAdapterWeights)) return *file;
  }
  if (need == Need::model) refuse_without_weights(listing, source);
  throw Error(source + ": is no adapter: it holds no " + kAdapterConfig + " with " +
              kAdapterWeights + " (adapters as pickles, adapter_model.bin, are not read)");
}

}  // namespace

const RemoteFile* Listing::find(std::string_view path) const {
  for (const RemoteFile& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

Listing parse_listing(std::string_view json, const std::string& source) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 26;
  const Json answer =
      parse_json(json, source + ": the server's list of files", {.max_bytes = kMostBytes});
  if (!answer.is_object()) refuse(source, "is no map");
  Listing listing;
  listing.commit = text_at(answer, "sha");
  if (!is_commit(listing.commit)) refuse(source, "gives no commit ('sha')");
  const auto siblings = answer.find("siblings");
  if (siblings == answer.end() || !siblings->is_array()) refuse(source, "holds no 'siblings'");
  if (siblings->size() > kMostFiles) refuse(source, "has more than 100000 entries");
  std::set<std::string> paths;
  for (const Json& entry : *siblings) {
    listing.files.push_back(parse_file(entry, source));
    const std::string& path = listing.files.back().path;
    if (!paths.insert(path).second) refuse(source, "names '" + path + "' twice");
  }
  return listing;
}

std::vector<RemoteFile> wanted_files(const Listing& listing, Need need, const std::string& source) {
  std::vector<RemoteFile> wanted;
  const RemoteFile* weights =
      need == Need::tokenizer ? nullptr : &weights_of(listing, need, source);
  const bool is_adapter = weights != nullptr && weights->path == kAdapterWeights;
  for (const RemoteFile& file : listing.files) {
    const bool is_config_of_adapter = is_adapter && file.path == kAdapterConfig;
    if (is_small_file_of_a_model(file.path) || is_config_of_adapter) wanted.push_back(file);
  }
  if (weights != nullptr) wanted.push_back(*weights);
  if (wanted.empty()) throw Error(source + ": holds no file of a model or tokenizer");
  return wanted;
}

std::vector<RemoteFile> wanted_shards(const Listing& listing, std::string_view index,
                                      const std::string& source) {
  const std::string place = source + ": " + kWeightsIndex;
  const Json json = parse_json(index, place);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object() || map->empty()) {
    throw Error(place + ": needs 'weight_map', a map from tensor to file");
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) throw Error(place + ": weight_map of '" + tensor + "' is no file name");
    names.insert(file.get<std::string>());
  }
  std::vector<RemoteFile> shards;
  for (const std::string& name : names) {
    const RemoteFile* file = listing.find(name);
    if (file == nullptr || !name.ends_with(".safetensors")) {
      throw Error(place + ": weight_map names the file " + json_quoted(name) +
                  (file == nullptr ? ", which the repository does not hold"
                                   : "; only .safetensors files are read"));
    }
    shards.push_back(*file);
  }
  return shards;
}

}  // namespace plumb::hub
