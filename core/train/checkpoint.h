// checkpoints/step-00000120/, published whole: tensors.safetensors (what is trained),
// optimizer.safetensors, state.json, recipe.yaml (resolved) and manifest.json with an xxh3-128 hash
// of every file and of every tensor. A checkpoint is there and right, or it is not there: what does
// not match its manifest is an error that names the file or tensor.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/dist/comm.h"
#include "core/io/json.h"
#include "core/model/decoder.h"
#include "core/train/run_log.h"

namespace plumb {

// What a bit-identical resume depends on beside the recipe (DESIGN.md 7).
struct RunIdentity {
  std::string cpu;      // instruction sets that choose kernels: "AVX512", "AVX2", ...
  int64_t threads = 1;  // a rank
  int64_t ranks = 1;
  std::string plan_hash;  // of the batch plan: data, order, packing
};
RunIdentity run_identity(const Comm& comm, const std::string& plan_hash);

struct TrainState {
  int64_t step = 0;          // updates (PPO: iterations) made
  int64_t samples_seen = 0;  // the data cursor
  int64_t tokens_seen = 0;
  uint64_t seed = 0;  // all draws are keyed by it and by counters, so it is the whole RNG
  LogSizes logs;
  RunIdentity identity;
  Json extra = Json::object();  // the job's own: KL controller, whitening statistics, ...
};

struct Checkpoint {
  TrainState state;
  std::vector<NamedTensor> tensors;
  std::vector<NamedTensor> optimizer;
  std::string recipe;  // resolved YAML
  std::string folder;  // where it was read from; unused when saving
};

// Saves run_folder/checkpoints/step-N (rank 0 writes; all ranks must call, and all throw when it
// fails), reads it back against its manifest, and only then removes all but the newest `keep`.
// A checkpoint of the same step is replaced. Non-finite tensors are refused by name.
void save_checkpoint(const std::string& run_folder, const Checkpoint& checkpoint, int64_t keep,
                     Comm& comm);

enum class Damaged { refuse, fall_back };

// True when there is a checkpoint, whole or damaged, that a resumed run would go on from.
bool has_checkpoint(const std::string& run_folder);

// Folder of the newest checkpoint; none when there is none. Its files are checked against its
// manifest: damage is an error, or with fall_back a warning, and the one before is tried. A folder
// without a manifest is the rest of one being removed when the run was killed, and no checkpoint.
std::optional<std::string> latest_checkpoint(const std::string& run_folder,
                                             Damaged damaged = Damaged::refuse);

Checkpoint load_checkpoint(const std::string& folder);  // verifies every hash

// Throws Exit::usage with the list of differences when going on would not give the bits of an
// uninterrupted run: a recipe key (but for those that only choose what is shown or kept, see
// recipe_diff.h), the data plan, threads, ranks or CPU.
void check_resumable(const Checkpoint& checkpoint, const std::string& recipe,
                     const RunIdentity& identity);

}  // namespace plumb
