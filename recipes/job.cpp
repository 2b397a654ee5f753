#include "recipes/job.h"

#include <chrono>

#include "core/error.h"
#include "core/io/files.h"
#include "core/log.h"
#include "core/train/human.h"
#include "core/train/recipe_diff.h"
#include "core/train/report.h"
#include "core/train/run_folder.h"
#include "core/train/signals.h"
#include "recipes/device.h"

namespace plumb {
namespace {

// Rank 0 may need long for data that others wait for; no collective is under way meanwhile.
constexpr double kPrepareSeconds = 6 * 3600;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

RunMode mode_of(const JobFlags& flags) {
  if (flags.resume && flags.overwrite)
    throw Error("--resume and --overwrite exclude each other", Exit::usage);
  return flags.resume ? RunMode::resume : flags.overwrite ? RunMode::overwrite : RunMode::fresh;
}

void warn_if_other(const std::string& folder, const std::string& recipe_yaml) {
  const auto differences =
      recipe_differences(files::read_file(folder + "/recipe.yaml"), recipe_yaml);
  if (differences.empty()) return;
  std::string message = folder + " was made by another recipe; give --overwrite to make it anew";
  for (const auto& difference : differences) message += "\n  " + difference;
  log::warning(message);
}

Json metrics_json(const Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

}  // namespace

Json result_json(const TrainResult& result) {
  return {{"steps", result.step},
          {"train", metrics_json(result.last_train)},
          {"eval", metrics_json(result.last_eval)}};
}

Job::Job(const std::string& name, const RunOptions& run, const JobFlags& flags,
         const std::string& recipe_yaml)
    : name_(name), run_(run), flags_(flags), recipe_yaml_(recipe_yaml), started_(now()) {
  if (flags.profile) profile_ = std::make_unique<profile::Recorder>("job");
  const auto env = RankEnv::from_environment();
  choose_device(run.device, run.threads, run.ranks > 1 ? run.ranks : env.world_size,
                env.local_rank);
  choose_precision(run.precision);
  if (flags.quiet || env.rank > 0) log::set_level(log::Level::warning);
  install_stop_handlers();
  CommOptions together;
  if (chosen_device().is_cuda()) together.backend = "nccl";
  comm_ = Comm::create(env, together);
  std::string problem;
  Exit code = Exit::failed;
  if (comm_->is_main()) {
    try {
      open_folder(recipe_yaml);
    } catch (const Error& error) {
      problem = error.what();
      code = error.code;
      if (comm_->world_size() == 1) throw;
    }
  }
  // Every rank ends for the same reason; the message is rank 0's alone.
  const bool failed = comm_->any(!problem.empty());
  if (failed) throw Error(problem.empty() ? "rank 0 could not open the run folder" : problem, code);
  finished_ = comm_->any(finished_);
}

void Job::open_folder(const std::string& recipe_yaml) {
  const std::string result = run_.out + "/result.json";
  finished_ = flags_.resume && files::exists(result);
  if (finished_) {
    log::info(name_ + ": " + run_.out + " holds a finished run; nothing is left to do");
    warn_if_other(run_.out, recipe_yaml);
    return;
  }
  const RunMode asked = mode_of(flags_);
  goes_on_ = flags_.resume && has_checkpoint(run_.out);
  // Killed before its first checkpoint, a run leaves nothing to go on from: it starts over.
  const RunMode mode = flags_.resume && !goes_on_ ? RunMode::overwrite : asked;
  open_run_folder(run_.out, mode, recipe_yaml);
  opened_ = !goes_on_;
}

Job::~Job() {
  if (!opened_ || context_) return;
  try {
    undo_run_folder(run_.out);
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

PreparedData Job::prepare(const DataNeed& need, const Tokenizer& tokenizer) {
  const profile::Span span("prepare data");
  const auto telling = flags_.quiet || !comm_->is_main() ? Telling::quiet : Telling::progress;
  comm_->set_phase("data");
  if (comm_->world_size() == 1) {
    auto data = prepare_data(need, tokenizer, telling);
    write_data_accounting(run_.out, data.accounting().to_json());
    return data;
  }
  comm_->set_timeout(kPrepareSeconds);
  if (comm_->is_main()) {
    write_data_accounting(run_.out, prepare_data(need, tokenizer, telling).accounting().to_json());
  }
  comm_->barrier();
  comm_->set_timeout(CommOptions().timeout_seconds);
  return prepare_data(need, tokenizer, Telling::quiet);
}

RunContext& Job::begin(int64_t total_steps, const std::string& plan_hash) {
  const auto identity = run_identity(*comm_, plan_hash);
  if (flags_.resume) {
    if (const auto folder = latest_checkpoint(run_.out)) {
      checkpoint_ = load_checkpoint(*folder);
      check_resumable(*checkpoint_, recipe_yaml_, identity);
      log::info(name_ + ": going on from " + *folder);
    }
  }
  const bool writes = comm_->is_main();
  log_ = !writes       ? RunLog::none()
         : checkpoint_ ? RunLog::resume(run_.out, checkpoint_->state.logs)
                       : RunLog::create(run_.out);
  const auto style = flags_.quiet || !writes ? ProgressStyle::quiet : ProgressStyle::automatic;
  progress_ = std::make_unique<Progress>(name_, total_steps, style,
                                         checkpoint_ ? checkpoint_->state.step : 0);
  TrainState state;
  state.seed = seed();
  state.identity = identity;
  context_.reset(new RunContext{*comm_, *log_, *progress_, run_.out, recipe_yaml_, state});
  return *context_;
}

// What is left of the run, its report, takes no time to speak of.
void Job::write_profile() {
  if (!profile_) return;
  profile_->stop();
  const std::string rank = std::to_string(comm_->rank());
  profile_->write_trace(run_.out + (comm_->is_main() ? "/trace.json" : "/trace-" + rank + ".json"),
                        comm_->rank());
  if (!comm_->is_main()) return;
  const std::string table = table_of(*profile_);
  files::publish(run_.out + "/profile.txt", table);
  log::info("profile: " + table +
            (profile_->is_whole() ? "" : "  trace.json holds the run's beginning\n") +
            "  https://ui.perfetto.dev opens " + run_.out + "/trace.json");
}

void Job::finish(Json result, const std::string& report_title) {
  if (progress_) progress_->finish();
  comm_->barrier();
  write_profile();
  if (!comm_->is_main()) return;
  if (log_) log_->sync();
  result["job"] = name_;
  result["seconds"] = now() - started_;
  result["peak_memory_bytes"] = peak_memory_bytes();
  write_report(run_.out + "/report.html", report_title, {{report_title, run_.out}});
  files::publish(run_.out + "/result.json", result.dump(2) + "\n");
  if (!flags_.quiet) log::info(summary_line(name_, now() - started_, run_.out));
}

}  // namespace plumb
