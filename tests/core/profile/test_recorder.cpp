#include "core/profile/recorder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb::profile {
namespace {

void wait(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

Json trace_of(const Recorder& recorder) {
  const std::string path = testing::TempDir() + "/recorder_trace.json";
  recorder.write_trace(path, 3);
  return parse_json(files::read_file(path), path);
}

std::vector<Json> spans_of(const Json& trace) {
  std::vector<Json> spans;
  for (const Json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X") spans.push_back(event);
  }
  return spans;
}

TEST(Profile, SpansWithoutARecorderDoNothing) {
  EXPECT_FALSE(is_on());
  const Span span("alone");
  EXPECT_FALSE(is_on());
}

TEST(Profile, SelfTimesAddUpToTheRoot) {
  Recorder recorder("job");
  for (int i = 0; i < 3; ++i) {
    const Span step("step");
    wait(2);
    {
      const Span gemm("gemm", "", 1e6);
      wait(3);
    }
    {
      const Span gemm("gemm", "backward", 2e6);
      wait(1);
    }
  }
  recorder.stop();
  double self = 0;
  std::map<std::string, Total> by_name;
  for (const Total& total : recorder.totals()) {
    self += total.self_seconds;
    by_name[total.name + total.part] = total;
  }
  EXPECT_NEAR(self, recorder.seconds(), 1e-9);
  EXPECT_EQ(by_name["step"].calls, 3);
  EXPECT_EQ(by_name["gemm"].calls, 3);
  EXPECT_EQ(by_name["gemmbackward"].flops, 6e6);
  EXPECT_GE(by_name["gemm"].self_seconds, 0.009);
  EXPECT_GE(by_name["step"].self_seconds, 0.006);
  EXPECT_NEAR(by_name["step"].self_seconds,
              by_name["step"].seconds - by_name["gemm"].seconds - by_name["gemmbackward"].seconds,
              1e-9);
}

TEST(Profile, TheTraceHoldsNestedCompleteEvents) {
  Recorder recorder("job");
  {
    const Span outer("outer \"quoted\"");
    {
      const Span inner("inner", "backward", 12);
      wait(1);
    }
    const Span second("second");
    wait(1);
  }
  recorder.stop();
  const auto spans = spans_of(trace_of(recorder));
  ASSERT_EQ(spans.size(), 4u);
  const auto begin = [&](std::size_t i) { return spans[i].at("ts").get<double>(); };
  const auto end = [&](std::size_t i) { return begin(i) + spans[i].at("dur").get<double>(); };
  EXPECT_EQ(spans[0].at("name"), "job");
  EXPECT_EQ(spans[1].at("name"), "outer \"quoted\"");
  EXPECT_EQ(spans[2].at("name"), "inner, backward");
  EXPECT_EQ(spans[2].at("args").at("flops").get<double>(), 12);
  for (const Json& span : spans) EXPECT_EQ(span.at("pid"), 3);
  EXPECT_LE(begin(0), begin(1));
  EXPECT_LE(end(1), end(0) + 1e-3);
  EXPECT_LE(begin(1), begin(2));
  EXPECT_LE(end(2), begin(3) + 1e-3);
  EXPECT_LE(end(3), end(1) + 1e-3);
}

TEST(Profile, AFullTraceGoesOnAsSums) {
  Recorder recorder("job", 5);
  for (int i = 0; i < 100; ++i) const Span span("op");
  recorder.stop();
  EXPECT_FALSE(recorder.is_whole());
  EXPECT_EQ(spans_of(trace_of(recorder)).size(), 5u);
  for (const Total& total : recorder.totals()) {
    if (total.name == "op") {
      EXPECT_EQ(total.calls, 100);
    }
  }
}

TEST(Profile, OtherThreadsAreNotHeard) {
  Recorder recorder("job");
  std::thread([] {
    EXPECT_FALSE(is_on());
    const Span span("elsewhere");
  }).join();
  recorder.stop();
  ASSERT_EQ(recorder.totals().size(), 1u);
}

TEST(Profile, SpansThatOutliveTheRecorderAreNotCountedInTheNext) {
  auto first = std::make_unique<Recorder>("first");
  auto span = std::make_unique<Span>("late");
  first->stop();
  Recorder second("second");
  span.reset();
  EXPECT_TRUE(is_on());
  second.stop();
  EXPECT_EQ(second.totals().size(), 1u);
}

TEST(Profile, TheTableListsEveryOpWithItsRate) {
  Recorder recorder("job");
  {
    const Span gemm("gemm", "backward", 5e6);
    wait(5);
  }
  recorder.stop();
  const std::string table = table_of(recorder);
  EXPECT_NE(table.find("gemm, backward"), std::string::npos);
  const std::size_t row = table.find("gemm, backward");
  const std::string rest = table.substr(row, table.find('\n', row) - row);
  const double rate = std::stod(rest.substr(rest.find_last_of(' ')));
  EXPECT_GT(rate, 0.1);
  EXPECT_LE(rate, 1.0);
}

}  // namespace
}  // namespace plumb::profile
