#include "core/hub/find.h"

#include <filesystem>

#include "core/error.h"
#include "core/hub/cache.h"
#include "core/io/files.h"

namespace plumb::hub {
namespace fs = std::filesystem;

Cached look_in_cache(const Reference& reference, Need need, const Settings& settings) {
  const RepoCache cache(settings.cache, reference.repo);
  const auto commit = cache.commit_of(reference.revision);
  if (!commit) return {"", "revision '" + reference.revision + "'"};
  const std::string folder = cache.snapshot(*commit);
  return {folder, missing_from(folder, need)};
}

std::optional<SnapshotName> snapshot_name(const std::string& folder) {
  std::error_code none;
  const fs::path path = fs::absolute(folder, none).lexically_normal();
  const fs::path trimmed = path.filename().empty() ? path.parent_path() : path;
  const std::string commit = trimmed.filename().string();
  const fs::path snapshots = trimmed.parent_path();
  std::string repo = snapshots.parent_path().filename().string();
  constexpr std::string_view kPrefix = "models--";
  if (!is_commit(commit) || snapshots.filename() != "snapshots" || !repo.starts_with(kPrefix)) {
    return std::nullopt;
  }
  repo.erase(0, kPrefix.size());
  const std::size_t dashes = repo.find("--");
  if (dashes != std::string::npos) repo.replace(dashes, 2, "/");
  return SnapshotName{repo, commit};
}

std::string folder_of_base(const std::string& base_model) {
  if (files::exists(base_model)) return base_model;
  try {
    const Reference reference = parse_reference("hf:" + base_model);
    const Cached cached = look_in_cache(reference, Need::model, settings_from_environment());
    return cached.missing.empty() ? cached.folder : "";
  } catch (const Error&) {
    return "";  // no name of a repository, or no cache
  }
}

}  // namespace plumb::hub
