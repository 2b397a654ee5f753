// What the cache of the hub holds, without a look at the network: links no libcurl.
#pragma once
#include <optional>
#include <string>

#include "core/hub/listing.h"
#include "core/hub/reference.h"
#include "core/hub/settings.h"

namespace plumb::hub {

struct Cached {
  std::string folder;
  std::string missing;  // in words; empty: the folder is complete for what was asked
};
Cached look_in_cache(const Reference& reference, Need need, const Settings& settings);

// The repository and commit that a folder of a cache stands for; nullopt for any other folder.
struct SnapshotName {
  std::string repo;
  std::string commit;
};
std::optional<SnapshotName> snapshot_name(const std::string& folder);

// Where a base that an adapter names (base_model_name_or_path) is: the path itself when it exists,
// the cache's folder when it is a repository whose model is there, else empty.
std::string folder_of_base(const std::string& base_model);

}  // namespace plumb::hub
