// Jobs over small models, run on the CPU's loops and on the harness's kernels, and what must agree.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/train/data_feed.h"
#include "core/train/loop.h"
#include "tests/ppo/small_world.h"
#include "tests/simt/jobs/agreement.h"
#include "tests/simt/tensors/counted_kernels.h"
#include "tests/simt/tensors/use_harness.h"

namespace plumb::test {

// What a run leaves: lines of metrics, and the trained tensors before and after.
struct Trace {
  std::vector<Json> rows;
  std::vector<NamedTensor> start, end;
  std::map<std::string, int64_t> launches;
};

inline std::vector<NamedTensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> all;
  for (const auto& [name, tensor] : tensors) {
    all.push_back({name, tensor.detach().clone()});
  }
  return all;
}

// A run that has been set up and is ready to go.
struct ReadyRun {
  std::vector<NamedTensor> trained;
  std::function<void(const std::string& folder)> go;  // writes metrics.jsonl there
};

inline Trace trace(const ReadyRun& run, const std::string& folder) {
  Trace trace;
  trace.start = copies(run.trained);
  run.go(folder);
  trace.end = copies(run.trained);
  trace.rows = read_rows(folder + "/metrics.jsonl");
  return trace;
}

// Sets up with `make` and runs: first on the CPU, then on kernels, everything from the beginning.
struct BothPaths {
  Trace cpu, kernels;
};
inline BothPaths run_both(const TestFolder& folder, const std::function<ReadyRun()>& make) {
  BothPaths both;
  both.cpu = trace(make(), folder.made("cpu"));
  const simt::UseHarness harness;
  const auto before = simt::launch_counts();
  both.kernels = trace(make(), folder.made("kernels"));
  for (const auto& [name, launches] : simt::launch_counts()) {
    both.kernels.launches[name] = launches - before.at(name);
  }
  return both;
}

inline void expect_launched(const BothPaths& both, const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    EXPECT_GT(both.kernels.launches.at(entry), 0) << "the job did not launch '" << entry << "'";
  }
}

// The metric in every line that has it, to `relative` of the CPU's value.
inline void expect_same_metric(const BothPaths& both, const std::string& name, double relative,
                               double absolute = 0.0) {
  ASSERT_EQ(both.cpu.rows.size(), both.kernels.rows.size());
  int seen = 0;
  for (std::size_t i = 0; i < both.cpu.rows.size(); ++i) {
    if (!both.cpu.rows[i].contains(name)) {
      continue;
    }
    const double want = both.cpu.rows[i].at(name), got = both.kernels.rows[i].at(name);
    EXPECT_NEAR(got, want, absolute + relative * std::abs(want)) << name << ", line " << i + 1;
    ++seen;
  }
  EXPECT_GT(seen, 0) << name;
}

// What training has changed, tensor by tensor: the paths' difference as a share of it. AdamW
// divides each gradient by its own size, so that an element whose gradient is near nothing takes
// steps of lr whose sign rounding decides; they are few.
inline void expect_same_updates(const BothPaths& both, double share) {
  ASSERT_EQ(both.cpu.end.size(), both.kernels.end.size());
  for (std::size_t i = 0; i < both.cpu.end.size(); ++i) {
    const double change = distance(both.cpu.end[i].tensor, both.cpu.start[i].tensor);
    EXPECT_GT(change, 0) << both.cpu.end[i].name << " was not trained";
    EXPECT_LE(distance(both.kernels.end[i].tensor, both.cpu.end[i].tensor), share * change)
        << both.cpu.end[i].name << ", which training moved by " << change;
  }
}

// A SupervisedJob with what it points to.
struct SupervisedRun {
  Decoder decoder;
  Adapter adapter;
  at::Tensor score;
  std::unique_ptr<PreparedData> data;
  std::unique_ptr<Comm> comm = Comm::create(RankEnv{});
  TrainOptions options;

  DataFeed feed() const { return {data.get(), comm.get(), options, 7}; }
};

inline TrainOptions small_training() {
  TrainOptions options;
  options.batch_size = 4;
  options.micro_batch_tokens = 24;
  options.steps = 3;
  options.optimizer.lr = 1e-2;
  options.optimizer.weight_decay = 0.1;
  options.optimizer.max_grad_norm = 0.5;  // binds
  options.schedule.schedule = "constant";
  return options;
}

// Runs the job to its end: one rank, quiet, without checkpoints.
void train_into(const std::string& folder, const SupervisedJob& job, SupervisedRun& run,
                const std::vector<NamedTensor>& trained);

// Twelve samples of `kind`, `make(i)` each.
inline std::unique_ptr<PreparedData> small_data(const std::string& path, SampleKind kind,
                                                const std::function<Sample(int64_t)>& make) {
  constexpr int64_t kSamples = 12;
  write_store(path, "key", kind, [&](const AddSample& add) {
    for (int64_t i = 0; i < kSamples; ++i) {
      Sample sample = make(i);
      sample.row = i;
      add(sample);
    }
    Accounting accounting;
    accounting.rows_read = accounting.rows_used = accounting.samples = kSamples;
    return accounting;
  });
  auto store = std::make_shared<const Store>(Store::open(path, "key"));
  return std::make_unique<PreparedData>(
      PreparedData{dataset(std::move(store), 0, kSamples), std::nullopt});
}

// `count` ids of a walk through the vocabulary that starts at `first`.
inline std::vector<int32_t> walk(int64_t first, int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<int32_t>((first * 5 + i * i + 3 * i) % kVocab));
  }
  return ids;
}

}  // namespace plumb::test
