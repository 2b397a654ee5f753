#include "core/hub/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/io/file_moves.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "core/log.h"

namespace plumb::hub {
namespace fs = std::filesystem;
namespace {

// "owner/name" -> "models--owner--name"
std::string folder_name(const std::string& repo) {
  std::string name = "models--" + repo;
  const std::size_t slash = name.find('/');
  if (slash != std::string::npos) name.replace(slash, 1, "--");
  return name;
}

// "" when the weights of a model are all there, else the name of a file that is not.
std::string missing_weights(const std::string& folder) {
  if (files::exists(folder + "/" + kSingleWeights)) return "";
  const std::string index = folder + "/" + kWeightsIndex;
  if (!files::exists(index)) return kSingleWeights;
  const Json json = read_json(index);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object()) return kWeightsIndex;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_safe_path(file.get<std::string>())) return kWeightsIndex;
    if (!files::exists(folder + "/" + file.get<std::string>())) return file.get<std::string>();
  }
  return "";
}

std::string missing_adapter(const std::string& folder) {
  for (const char* name : {kAdapterConfig, kAdapterWeights}) {
    if (!files::exists(folder + "/" + name)) return name;
  }
  return "";
}

std::string missing_tokenizer(const std::string& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "spiece.model", "tekken.json",
                           "vocab.json", "vocab.txt", "sentencepiece.bpe.model"}) {
    if (files::exists(folder + "/" + name)) return "";
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".tiktoken") return "";
  }
  return "tokenizer.json";
}

bool is_same_file(int descriptor, const std::string& path) {
  struct stat held {
  }, named{};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int open_lock(const std::string& path) {
  constexpr mode_t kGroupWritable = 0664;  // people of one group share a cache
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kGroupWritable);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) files::fail_with_errno(path, "open", errno);
  return descriptor;
}

void take_lock(int descriptor, const std::string& path) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) log::info("hub: another process downloads this; waiting for " + path);
  while (::flock(descriptor, LOCK_EX) != 0) {
    if (errno != EINTR) files::fail_with_errno(path, "lock", errno);
  }
}

}  // namespace

RepoCache::RepoCache(const std::string& cache, const std::string& repo)
    : folder_(cache + "/" + folder_name(repo)), locks_(cache + "/.locks/" + folder_name(repo)) {}

std::string RepoCache::blob(const std::string& hash) const {
  return folder_ + "/blobs/" + hash;
}

std::string RepoCache::lock(const std::string& hash) const {
  return locks_ + "/" + hash + ".lock";
}

std::string RepoCache::snapshot(const std::string& commit) const {
  return folder_ + "/snapshots/" + commit;
}

std::optional<std::string> RepoCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const std::string ref = folder_ + "/refs/" + revision;
  if (!files::exists(ref)) return std::nullopt;
  constexpr std::size_t kMostBytes = 4096;
  std::string commit = files::read_file(ref, kMostBytes);
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == ' ')) commit.pop_back();
  if (!is_commit(commit)) throw Error(ref + ": holds no commit; delete it and download again");
  return commit;
}

void RepoCache::remember(const std::string& revision, const std::string& commit) const {
  if (is_commit(revision) || commit_of(revision) == commit) return;
  const std::string ref = folder_ + "/refs/" + revision;
  files::create_directories(fs::path(ref).parent_path().string());
  files::publish(ref, commit);
}

void RepoCache::link(const std::string& commit, const std::string& path,
                     const std::string& hash) const {
  const fs::path place = fs::path(snapshot(commit)) / path;
  const std::string target = fs::path(blob(hash)).lexically_relative(place.parent_path()).string();
  std::error_code none;
  if (fs::read_symlink(place, none).string() == target) return;
  files::create_directories(place.parent_path().string());
  files::publish_link(place.string(), target);
}

void RepoCache::create() const {
  files::create_directories(folder_ + "/blobs");
  files::create_directories(locks_);
}

std::string missing_from(const std::string& snapshot, Need need) {
  if (!files::exists(snapshot)) return "snapshot";
  if (need == Need::adapter) return missing_adapter(snapshot);
  if (need == Need::model && missing_adapter(snapshot).empty() &&
      !files::exists(snapshot + "/config.json")) {
    return "";
  }
  if (!files::exists(snapshot + "/config.json")) return "config.json";
  return need == Need::model ? missing_weights(snapshot) : missing_tokenizer(snapshot);
}

FileLock::FileLock(const std::string& path) {
  // Somebody may clear the locks while we wait: a lock on a file without a name excludes nobody.
  do {
    file_ = files::Descriptor(open_lock(path));
    take_lock(file_.get(), path);
  } while (!is_same_file(file_.get(), path));
}

}  // namespace plumb::hub
