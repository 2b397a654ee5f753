#include "core/train/run_folder.h"

#include <array>
#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "core/train/run_log.h"

namespace plumb {
namespace {

// Everything that a run may leave, and all that --overwrite removes, from the last to the first:
// result.json, which says that a run is finished, must not outlive what it speaks of.
constexpr std::array kRunEntries = {"recipe.yaml", "metrics.jsonl", kEventsFile,   "samples.jsonl",
                                    "data.json",   "report.html",   "checkpoints", "adapter",
                                    "model",       "rollouts",      "critic",      "tokenizer",
                                    "trace.json",  "profile.txt",   "result.json"};

}  // namespace

bool holds_run(const std::string& folder) {
  return files::exists(folder + "/recipe.yaml") || files::exists(folder + "/metrics.jsonl") ||
         files::exists(folder + "/checkpoints");
}

void open_run_folder(const std::string& folder, RunMode mode, const std::string& recipe_yaml) {
  if (std::filesystem::exists(folder) && !std::filesystem::is_directory(folder)) {
    throw Error("--out " + folder + " is a file, and must be a folder: name another", Exit::usage);
  }
  if (holds_run(folder)) {
    if (mode == RunMode::resume) return;
    if (mode == RunMode::fresh) {
      throw Error("--out " + folder +
                      " already holds a run: give --resume to go on with it, --overwrite to start "
                      "over, or another folder",
                  Exit::usage);
    }
    // The recipe goes last: a folder half removed still counts as a run.
    for (auto entry = kRunEntries.rbegin(); entry != kRunEntries.rend(); ++entry) {
      files::remove_tree(folder + "/" + *entry);
    }
  }
  files::create_directories(folder);
  files::publish(folder + "/recipe.yaml", recipe_yaml);
}

void undo_run_folder(const std::string& folder) {
  files::remove_tree(folder + "/data.json");
  files::remove_tree(folder + "/recipe.yaml");
  std::error_code ignored;
  if (std::filesystem::is_empty(folder, ignored)) files::remove_tree(folder);
}

void write_data_accounting(const std::string& folder, const Json& accounting) {
  files::publish(folder + "/data.json", accounting.dump(2) + "\n");
}

}  // namespace plumb
