#include "core/train/checkpoint.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/log.h"
#include "core/train/checkpoint_files.h"
#include "core/train/gradients.h"
#include "core/train/recipe_diff.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStepPrefix = "step-";

std::string step_folder(const std::string& run_folder, int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "%s%08lld", kStepPrefix, static_cast<long long>(step));
  return run_folder + "/checkpoints/" + name;
}

// Complete checkpoints (those with a manifest), newest first.
std::vector<std::string> list_checkpoints(const std::string& run_folder) {
  std::vector<std::string> found;
  const std::string parent = run_folder + "/checkpoints";
  if (!files::exists(parent)) return found;
  for (const auto& entry : fs::directory_iterator(parent)) {
    const bool is_step = entry.path().filename().string().starts_with(kStepPrefix);
    if (is_step && files::exists(entry.path().string() + "/manifest.json")) {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

// Without its manifest a folder is no checkpoint: a kill halfway leaves nothing that looks like
// one.
void remove_checkpoint(const std::string& folder) {
  files::remove_tree(folder + "/manifest.json");
  files::remove_tree(folder);
}

Json to_json(const TrainState& state) {
  Json json;
  json["step"] = state.step;
  json["samples_seen"] = state.samples_seen;
  json["tokens_seen"] = state.tokens_seen;
  json["seed"] = state.seed;
  json["logs"]["metrics"] = state.logs.metrics;
  json["logs"]["events"] = state.logs.events;
  json["logs"]["samples"] = state.logs.samples;
  json["identity"]["cpu"] = state.identity.cpu;
  json["identity"]["threads"] = state.identity.threads;
  json["identity"]["ranks"] = state.identity.ranks;
  json["identity"]["plan_hash"] = state.identity.plan_hash;
  json["extra"] = state.extra;
  return json;
}

TrainState state_of(const Json& json, const std::string& path) {
  try {
    TrainState state;
    state.step = json.at("step");
    state.samples_seen = json.at("samples_seen");
    state.tokens_seen = json.at("tokens_seen");
    state.seed = json.at("seed");
    state.logs = {json.at("logs").at("metrics"), json.at("logs").at("events"),
                  json.at("logs").at("samples")};
    const Json& identity = json.at("identity");
    state.identity = {identity.at("cpu"), identity.at("threads"), identity.at("ranks"),
                      identity.at("plan_hash")};
    state.extra = json.at("extra");
    return state;
  } catch (const nlohmann::json::exception& error) {
    throw Error(path + ": not the state of a run (" + error.what() + ")");
  }
}

void refuse_non_finite(const Checkpoint& checkpoint) {
  for (const auto* tensors : {&checkpoint.tensors, &checkpoint.optimizer}) {
    const std::string name = first_non_finite(*tensors);
    if (name.empty()) continue;
    throw Error("step " + std::to_string(checkpoint.state.step) + ": tensor '" + name +
                    "' holds NaN or infinity; no checkpoint is written, the last good one stands",
                Exit::non_finite);
  }
}

void write_files(const std::string& folder, const Checkpoint& checkpoint) {
  write_tensors(folder + "/tensors.safetensors", checkpoint.tensors);
  write_tensors(folder + "/optimizer.safetensors", checkpoint.optimizer);
  files::publish(folder + "/state.json", to_json(checkpoint.state).dump(1) + "\n");
  files::publish(folder + "/recipe.yaml", checkpoint.recipe);
  write_manifest(folder, {{"tensors.safetensors", hash_tensors(checkpoint.tensors)},
                          {"optimizer.safetensors", hash_tensors(checkpoint.optimizer)}});
}

void save_on_this_rank(const std::string& run_folder, const Checkpoint& checkpoint, int64_t keep) {
  refuse_non_finite(checkpoint);
  const std::string folder = step_folder(run_folder, checkpoint.state.step);
  files::create_directories(run_folder + "/checkpoints");
  if (files::exists(folder)) remove_checkpoint(folder);
  files::publish_directory(
      folder, [&](const std::string& temporary) { write_files(temporary, checkpoint); });
  verify_manifest(folder);

  const auto all = list_checkpoints(run_folder);
  for (std::size_t i = static_cast<std::size_t>(std::max<int64_t>(1, keep)); i < all.size(); ++i) {
    remove_checkpoint(all[i]);
  }
}

std::string cpu_vendor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("vendor_id")) continue;
    const auto colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

RunIdentity run_identity(const Comm& comm, const std::string& plan_hash) {
  return {cpu_vendor() + " " + at::get_cpu_capability(), at::get_num_threads(), comm.world_size(),
          plan_hash};
}

void save_checkpoint(const std::string& run_folder, const Checkpoint& checkpoint, int64_t keep,
                     Comm& comm) {
  comm.set_phase("checkpoint");
  std::exception_ptr failure;
  if (comm.is_main()) {
    try {
      save_on_this_rank(run_folder, checkpoint, keep);
    } catch (...) {
      failure = std::current_exception();
    }
  }
  // The others wait here, and learn whether it is there.
  const bool failed = comm.any(failure != nullptr);
  if (failure) std::rethrow_exception(failure);
  if (failed) throw Error("rank 0 could not save its checkpoint", Exit::failed);
}

bool has_checkpoint(const std::string& run_folder) {
  return !list_checkpoints(run_folder).empty();
}

std::optional<std::string> latest_checkpoint(const std::string& run_folder, Damaged damaged) {
  for (const std::string& folder : list_checkpoints(run_folder)) {
    try {
      verify_manifest(folder);
      return folder;
    } catch (const Error& error) {
      if (damaged == Damaged::refuse) throw;
      log::warning(std::string(error.what()) + "; trying the one before");
    }
  }
  return std::nullopt;
}

Checkpoint load_checkpoint(const std::string& folder) {
  verify_manifest(folder);
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  checkpoint.state = state_of(read_json(folder + "/state.json"), folder + "/state.json");
  checkpoint.tensors = read_tensors(folder + "/tensors.safetensors");
  checkpoint.optimizer = read_tensors(folder + "/optimizer.safetensors");
  checkpoint.recipe = files::read_file(folder + "/recipe.yaml");
  return checkpoint;
}

void check_resumable(const Checkpoint& checkpoint, const std::string& recipe,
                     const RunIdentity& identity) {
  std::vector<std::string> differences = recipe_differences(checkpoint.recipe, recipe);
  const auto compare = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was != is) differences.push_back(what + ": " + was + " in the checkpoint, " + is + " now");
  };
  const RunIdentity& before = checkpoint.state.identity;
  compare("threads", std::to_string(before.threads), std::to_string(identity.threads));
  compare("ranks", std::to_string(before.ranks), std::to_string(identity.ranks));
  compare("CPU", before.cpu, identity.cpu);
  compare("data and batch plan", before.plan_hash, identity.plan_hash);
  if (differences.empty()) return;
  std::string message =
      checkpoint.folder + " cannot be resumed: the run would not end as an uninterrupted one does";
  for (const std::string& difference : differences) message += "\n  " + difference;
  throw Error(message + "\nGive it the same again, or start a new run in another --out",
              Exit::usage);
}

}  // namespace plumb
