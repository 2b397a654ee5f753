// One file of a repository into the cache: resumed, checked, published whole.
#pragma once
#include <string>

#include "core/hub/cache.h"
#include "core/hub/listing.h"
#include "core/hub/progress.h"
#include "core/hub/reference.h"
#include "core/hub/settings.h"

namespace plumb::hub {

struct Download {
  const Reference& reference;  // for errors
  std::string commit;          // what is fetched is of this commit, whatever the revision moves to
  const RepoCache& cache;
  const Settings& settings;
  DownloadProgress& progress;
};

// Size and digest of a file that the listing gave without them, asked of the file's own address.
RemoteFile with_metadata(const RemoteFile& file, const Download& download);

// Brings `file` (size and digest known) into the cache's blobs and links it into the snapshot. The
// part of it that an earlier attempt, perhaps of another process, left is kept and gone on from;
// what counts is the digest of the whole, and a part that leads to another is thrown away once.
// Processes that want the same file at the same time wait for the one that fetches it.
// Throws Error naming repository, file and rule; Unreachable when the hub cannot be reached.
void fetch_file(const RemoteFile& file, const Download& download);

}  // namespace plumb::hub
