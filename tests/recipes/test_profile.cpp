// `--profile` through the binary: the trace is one that Perfetto opens, and accounts for the run.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

struct TraceSpan {
  std::string name;
  double begin = 0, end = 0;  // microseconds
};

std::vector<TraceSpan> spans_of(const std::string& path) {
  std::vector<TraceSpan> spans;
  const Json trace = read_json(path);
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    const double begin = event.at("ts"), length = event.at("dur");
    EXPECT_GE(length, 0);
    spans.push_back({event.at("name"), begin, begin + length});
  }
  return spans;
}

// Opened in order, each lies within the span that is open then.
void expect_nested(const std::vector<TraceSpan>& spans) {
  constexpr double kRounding = 2e-3;
  std::vector<TraceSpan> open;
  for (const TraceSpan& span : spans) {
    while (!open.empty() && open.back().end <= span.begin + kRounding) open.pop_back();
    if (!open.empty()) {
      EXPECT_LE(span.end, open.back().end + kRounding) << span.name << " in " << open.back().name;
    }
    open.push_back(span);
  }
}

std::map<std::string, int> counts_of(const std::vector<TraceSpan>& spans) {
  std::map<std::string, int> counts;
  for (const TraceSpan& span : spans) ++counts[span.name];
  return counts;
}

// Of the root's time, what lies in its children.
double accounted(const std::vector<TraceSpan>& spans) {
  double inside = 0, until = 0;
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].begin < until) continue;
    inside += spans[i].end - spans[i].begin;
    until = spans[i].end;
  }
  return inside / (spans[0].end - spans[0].begin);
}

TEST(Profile, ASupervisedRunIsTracedByOp) {
  const auto& shop = workshop();
  must(plumb_run(shop.sft("profiled") + Words{"train.steps=4", "--profile"}));
  const auto spans = spans_of(shop.path("profiled/trace.json"));
  ASSERT_FALSE(spans.empty());
  expect_nested(spans);
  auto counts = counts_of(spans);
  EXPECT_EQ(spans[0].name, "job");
  EXPECT_EQ(counts["step"], 4);
  EXPECT_EQ(counts["optimizer"], 4);
  EXPECT_EQ(counts["checkpoint"], 1);
  EXPECT_GE(counts["forward"], 4);
  EXPECT_EQ(counts["forward"], counts["backward"]);
  // Two layers, and the probes of what was exported.
  EXPECT_GE(counts["attention block"], 2 * counts["forward"]);
  EXPECT_EQ(counts["attention block, backward"], 2 * counts["backward"]);
  EXPECT_EQ(counts["MLP block, backward"], 2 * counts["backward"]);
  EXPECT_GT(counts["gemm"], counts["attention block"]);
  // The root lies within the run as the run says that it lasted, and its time has names.
  const double seconds = read_json(shop.path("profiled/result.json")).at("seconds");
  EXPECT_LE((spans[0].end - spans[0].begin) * 1e-6, seconds);
  EXPECT_GT(accounted(spans), 0.2);
}

TEST(Profile, TheTableNamesWhatTheTraceHolds) {
  const auto& shop = workshop();
  must(plumb_run(shop.sft("profiled_table") + Words{"train.steps=2", "--profile"}));
  const std::string table = files::read_file(shop.path("profiled_table/profile.txt"));
  const auto counts = counts_of(spans_of(shop.path("profiled_table/trace.json")));
  EXPECT_GT(counts.size(), 10u);
  for (const auto& [name, count] : counts) {
    EXPECT_NE(table.find("  " + name + " "), std::string::npos) << name;
  }
}

TEST(Profile, APpoIterationHasItsPhases) {
  const auto& shop = workshop();
  must(plumb_run(shop.ppo("profiled_ppo") + Words{"train.steps=1", "--profile"}));
  const auto spans = spans_of(shop.path("profiled_ppo/trace.json"));
  expect_nested(spans);
  auto counts = counts_of(spans);
  for (const char* phase : {"iteration", "rollout", "scoring", "reward", "update"}) {
    EXPECT_EQ(counts[phase], 1) << phase;
  }
  EXPECT_GT(counts["decode step"], 1);
}

TEST(Profile, WithoutTheFlagNothingIsWritten) {
  EXPECT_FALSE(files::exists(workshop().path("sft/trace.json")));
  EXPECT_FALSE(files::exists(workshop().path("sft/profile.txt")));
}

}  // namespace
}  // namespace plumb::test
