// hf:owner/name[@revision] -> a folder of the hub's cache that holds what is needed of it.
#pragma once
#include <string>

#include "core/hub/listing.h"
#include "core/hub/reference.h"
#include "core/hub/settings.h"

namespace plumb::hub {

// Fetches what is not there yet and returns .../snapshots/COMMIT. Offline, or when the hub cannot
// be reached, what the cache holds is taken, if it is complete for `need`.
// Throws Error naming repository, file, rule, status and what to do. An interrupted download leaves
// its part, and the next call goes on from it.
std::string fetch_snapshot(const Reference& reference, Need need, const Settings& settings);

}  // namespace plumb::hub
