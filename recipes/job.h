// What every training job opens first and closes last: its ranks, threads and run folder, a resumed
// checkpoint, the end's line. The jobs themselves read recipe -> data -> model -> trainer ->
// export.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/dist/comm.h"
#include "core/io/json.h"
#include "core/io/recipe_io.h"
#include "core/profile/recorder.h"
#include "core/train/loop.h"
#include "recipes/common/prepare_data.h"
#include "recipes/run_options.h"

namespace plumb {

class Job {
 public:
  // Meets the other ranks; opens the run folder on rank 0 as the flags say; installs Ctrl-C.
  Job(const std::string& name, const RunOptions& run, const JobFlags& flags,
      const std::string& recipe_yaml);
  ~Job();  // takes the run folder back when the job failed before begin()

  // A resumed run that had ended: there is nothing to do.
  bool is_finished() const { return finished_; }
  // Rank 0: whether the folder holds a checkpoint that this run goes on from.
  bool goes_on() const { return goes_on_; }

  Comm& comm() { return *comm_; }
  RunLog& log() { return *log_; }
  const std::string& folder() const { return run_.out; }
  uint64_t seed() const { return static_cast<uint64_t>(run_.seed); }

  // Rank 0 makes the store where there is none; then all open it. Writes data.json.
  PreparedData prepare(const DataNeed& need, const Tokenizer& tokenizer);

  // Opens the logs and the progress of `total` steps. With --resume and a checkpoint, the logs are
  // cut to it, and checkpoint() holds what the trainer must restore; a checkpoint of another
  // recipe, data plan, CPU, number of threads or ranks is refused.
  RunContext& begin(int64_t total_steps, const std::string& plan_hash);
  const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }

  // Rank 0: result.json and report.html; then the last line: time, peak memory, where things are.
  void finish(Json result, const std::string& report_title);

 private:
  void open_folder(const std::string& recipe_yaml);
  void write_profile();  // of this rank

  std::string name_;
  RunOptions run_;
  JobFlags flags_;
  std::string recipe_yaml_;
  double started_ = 0;
  std::unique_ptr<profile::Recorder> profile_;
  bool finished_ = false;
  bool goes_on_ = false;
  bool opened_ = false;  // this rank made the run folder
  std::unique_ptr<Comm> comm_;
  std::optional<RunLog> log_;
  std::unique_ptr<Progress> progress_;
  std::optional<Checkpoint> checkpoint_;
  std::unique_ptr<RunContext> context_;
};

// The recipe as recipe.yaml keeps it.
template <class Recipe>
std::string resolved(Recipe recipe) {
  return resolved_yaml(FieldList::of(recipe));
}

// What result.json keeps of a training: steps, and the last metrics of train and eval.
Json result_json(const TrainResult& result);

}  // namespace plumb
