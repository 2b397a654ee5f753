// The hub's own cache layout, shared with huggingface_hub:
//   CACHE/models--owner--name/refs/main                 holds a commit
//                            /blobs/HASH                a file, named by its SHA-256 or git SHA-1
//                            /blobs/HASH.incomplete     the part of it that has come so far
//                            /snapshots/COMMIT/PATH     link to ../../blobs/HASH
//   CACHE/.locks/models--owner--name/HASH.lock          held (flock) by whoever fetches HASH
#pragma once
#include <optional>
#include <string>

#include "core/hub/listing.h"
#include "core/hub/reference.h"
#include "core/io/descriptor.h"

namespace plumb::hub {

class RepoCache {
 public:
  RepoCache(const std::string& cache, const std::string& repo);

  std::string blob(const std::string& hash) const;
  std::string incomplete(const std::string& hash) const { return blob(hash) + ".incomplete"; }
  std::string lock(const std::string& hash) const;
  std::string snapshot(const std::string& commit) const;

  // The commit that `revision` was last seen at (itself when it is one); nullopt: never seen.
  std::optional<std::string> commit_of(const std::string& revision) const;
  void remember(const std::string& revision, const std::string& commit) const;

  // Makes the snapshot's `path` a link to the blob, unless it is one.
  void link(const std::string& commit, const std::string& path, const std::string& hash) const;

  // Makes the folders that a download needs.
  void create() const;

 private:
  std::string folder_;
  std::string locks_;
};

// What of `need` a folder lacks, in words; empty when it is all there. For a cache that another
// program filled, perhaps in part.
std::string missing_from(const std::string& snapshot, Need need);

// An exclusive flock on `path`, which is made and stays. Waits, and says so once, while another
// process holds it.
class FileLock {
 public:
  explicit FileLock(const std::string& path);

 private:
  files::Descriptor file_;
};

}  // namespace plumb::hub
