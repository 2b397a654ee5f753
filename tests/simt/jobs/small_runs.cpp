#include "tests/simt/jobs/small_runs.h"

namespace plumb::test {

void train_into(const std::string& folder, const SupervisedJob& job, SupervisedRun& run,
                const std::vector<NamedTensor>& trained) {
  AdamW optimizer(trained, run.options.optimizer);
  RunLog log = RunLog::create(folder);
  Progress progress(job.name, job.total_steps, ProgressStyle::quiet);
  TrainState state;
  state.seed = 7;
  RunContext context{*run.comm, log, progress, {}, {}, state};
  train(job, run.options, optimizer, context);
}

}  // namespace plumb::test
