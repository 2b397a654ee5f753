#include "core/hub/snapshot.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "core/error.h"
#include "core/hub/cache.h"
#include "core/hub/download.h"
#include "core/hub/failures.h"
#include "core/hub/find.h"
#include "core/hub/http.h"
#include "core/hub/url.h"
#include "core/io/files.h"
#include "core/log.h"

namespace plumb::hub {
namespace fs = std::filesystem;
namespace {

std::string get_text(const std::string& url, const Reference& reference, const Settings& settings) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 26;
  std::string text;
  with_retries(settings, reference.text(), [&] {
    text.clear();
    const BodyReader reader{
        {}, [&](std::string_view bytes) {
          if (text.size() + bytes.size() > kMostBytes) {
            throw Error(reference.text() + ": the server's list of files is larger than 64 MiB");
          }
          text += bytes;
        }};
    const Response response = get({.url = url}, settings, reader);
    constexpr long kOk = 200;
    if (response.status != kOk) fail_with_status(response, reference, "", settings);
  });
  return text;
}

Listing ask_listing(const Reference& reference, const Settings& settings) {
  const std::string url = settings.endpoint + "/api/models/" + escape_path(reference.repo) +
                          "/revision/" + escape_component(reference.revision) + "?blobs=true";
  return parse_listing(get_text(url, reference, settings), reference.text());
}

// A file of this digest that is in the cache needs no room.
std::uint64_t bytes_to_come(const std::vector<RemoteFile>& files, const RepoCache& cache) {
  std::uint64_t bytes = 0;
  for (const RemoteFile& file : files) {
    std::error_code none;
    if (files::exists(cache.blob(file.digest.hex))) continue;
    const std::uint64_t part = fs::file_size(cache.incomplete(file.digest.hex), none);
    bytes += none ? *file.size : *file.size - std::min(*file.size, part);
  }
  return bytes;
}

void check_room(std::uint64_t bytes, const std::string& cache, const std::string& name) {
  struct statvfs system {};
  if (::statvfs(cache.c_str(), &system) != 0) return;
  const std::uint64_t free = std::uint64_t{system.f_bavail} * system.f_frsize;
  if (free >= bytes) return;
  throw Error(name + ": needs " + human_bytes(bytes) + " in " + cache + ", where " +
                  human_bytes(free) + " are free: make room, or set HF_HOME to another disk",
              Exit::failed);
}

class Fetch {
 public:
  Fetch(const Reference& reference, const Listing& listing, const Settings& settings)
      : reference_(reference),
        listing_(listing),
        settings_(settings),
        cache_(settings.cache, reference.repo),
        progress_(settings.shows_progress, 0) {}

  std::string run(Need need) {
    cache_.create();
    auto wanted = wanted_files(listing_, need, reference_.text());
    get_all(wanted);
    const bool has_index = std::any_of(wanted.begin(), wanted.end(), [](const RemoteFile& file) {
      return file.path == kWeightsIndex;
    });
    const std::string folder = cache_.snapshot(listing_.commit);
    if (has_index) {
      constexpr std::size_t kMostBytes = std::size_t{1} << 26;
      const auto index = files::read_file(folder + "/" + kWeightsIndex, kMostBytes);
      get_all(wanted_shards(listing_, index, reference_.text()));
    }
    cache_.remember(reference_.revision, listing_.commit);
    if (came_ > 0) log::info("hub: " + reference_.text() + " is in " + folder);
    return folder;
  }

 private:
  void get_all(std::vector<RemoteFile> wanted) {
    const Download download{reference_, listing_.commit, cache_, settings_, progress_};
    std::uint64_t total = 0;
    for (RemoteFile& file : wanted) {
      file = with_metadata(file, download);
      total += *file.size;
    }
    const std::uint64_t to_come = bytes_to_come(wanted, cache_);
    if (to_come > 0) {
      progress_.clear();
      log::info("hub: " + reference_.text() + ": " + human_bytes(to_come) + " to download");
    }
    check_room(to_come, settings_.cache, reference_.text());
    progress_.grow(total);
    for (const RemoteFile& file : wanted) fetch_file(file, download);
    progress_.clear();
    came_ += to_come;
  }

  const Reference& reference_;
  const Listing& listing_;
  const Settings& settings_;
  RepoCache cache_;
  DownloadProgress progress_;
  std::uint64_t came_ = 0;
};

std::string from_cache(const Reference& reference, Need need, const Settings& settings) {
  const Cached cached = look_in_cache(reference, need, settings);
  if (cached.missing.empty()) return cached.folder;
  throw Error(reference.text() + ": HF_HUB_OFFLINE is set, and " + settings.cache + " lacks its " +
              cached.missing +
              ": download it once without HF_HUB_OFFLINE, or copy that cache here");
}

// When the hub does not answer: the cache, with a word about it.
std::string instead_of_the_hub(const Reference& reference, Need need, const Settings& settings,
                               const Error& problem) {
  const Cached cached = look_in_cache(reference, need, settings);
  if (!cached.missing.empty()) throw problem;
  log::warning(std::string("hub: ") + problem.what() + "; going on with what the cache holds, " +
               cached.folder);
  return cached.folder;
}

}  // namespace

std::string fetch_snapshot(const Reference& reference, Need need, const Settings& settings) {
  if (settings.is_offline) return from_cache(reference, need, settings);
  Listing listing;
  try {
    // With a model that is here a lost network should cost a moment, not half a minute.
    constexpr int kFewAttempts = 2;
    Settings patience = settings;
    if (look_in_cache(reference, need, settings).missing.empty()) patience.attempts = kFewAttempts;
    listing = ask_listing(reference, patience);
  } catch (const Unreachable& lost) {
    const Error problem(std::string(lost.what()) +
                            ": check the network, HF_ENDPOINT and the proxies in the environment",
                        Exit::failed);
    return instead_of_the_hub(reference, need, settings, problem);
  } catch (const Refused& problem) {
    return instead_of_the_hub(reference, need, settings, problem);
  }
  try {
    return Fetch(reference, listing, settings).run(need);
  } catch (const Unreachable& lost) {
    throw Error(
        std::string(lost.what()) + "; the part that came is kept: the same command goes on from it",
        Exit::failed);
  }
}

}  // namespace plumb::hub
