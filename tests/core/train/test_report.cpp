#include "core/train/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/train/report_svg.h"
#include "core/train/run_folder.h"
#include "core/train/run_log.h"
#include "tests/core/train/temporary_folder.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using testing::Not;

void make_run(const std::string& folder, const std::string& metric, const std::string& answer) {
  open_run_folder(folder, RunMode::fresh, "train:\n  batch_size: 32  # <b>\n");
  RunLog log = RunLog::create(folder);
  for (int64_t step = 1; step <= 50; ++step) {
    log.metrics(step, {{metric, 5.0 / static_cast<double>(step)}, {"grad_norm", 1.5}});
  }
  log.sample({{"step", 0}, {"prompt", "Once <upon>"}, {"completion", "<script>x</script>"}});
  log.sample({{"step", 50}, {"prompt", "Once <upon>"}, {"completion", answer}, {"reward", 0.75}});
  write_data_accounting(folder, {{"train", {{"rows read", 1000}, {"too long", 12}}}});
}

TEST(Report, ShowsTheWholeRun) {
  TemporaryFolder folder;
  make_run(folder / "run", "loss", "a time");
  const std::string page = render_report("My run", {{"Fine-tuning", folder / "run"}});
  EXPECT_THAT(page, HasSubstr("<title>My run</title>"));
  EXPECT_THAT(page, HasSubstr("aria-label=\"Loss, last value 0.1\""));
  EXPECT_THAT(page, HasSubstr("<title>step 1\ntrain 5</title>"));
  EXPECT_THAT(page, HasSubstr("grad_norm"));
  EXPECT_THAT(page, HasSubstr("a time"));
  EXPECT_THAT(page, HasSubstr("reward 0.75"));
  EXPECT_THAT(page, HasSubstr("too long"));
  EXPECT_THAT(page, HasSubstr("batch_size: 32"));
}

TEST(Report, EscapesWhatRunsContain) {
  TemporaryFolder folder;
  make_run(folder / "run", "loss", "&");
  const std::string page = render_report("A & B", {{"One", folder / "run"}});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;x&lt;/script&gt;"));
  EXPECT_THAT(page, HasSubstr("Once &lt;upon&gt;"));
  EXPECT_THAT(page, HasSubstr("# &lt;b&gt;"));
  EXPECT_THAT(page, HasSubstr("A &amp; B"));
}

TEST(Report, NeedsNothingFromOutside) {
  TemporaryFolder folder;
  make_run(folder / "run", "loss", "x");
  const std::string page = render_report("My run", {{"One", folder / "run"}});
  for (const char* outside : {"http:", "https:", "//", "src=", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
}

TEST(Report, ComparesStages) {
  TemporaryFolder folder;
  make_run(folder / "sft", "loss", "after tuning");
  make_run(folder / "ppo", "objective/scores", "after reward");
  write_report(folder / "report.html", "Pipeline",
               {{"SFT", folder / "sft"}, {"PPO", folder / "ppo"}});
  const std::string page = files::read_file(folder / "report.html");
  EXPECT_THAT(page, HasSubstr("What each stage taught"));
  EXPECT_THAT(page, HasSubstr("href=\"#stage-2\""));
  EXPECT_THAT(page, HasSubstr("aria-label=\"Reward, last value 0.1\""));
}

TEST(Report, AMalformedLineIsNamedAndATornOneLeftOut) {
  TemporaryFolder folder;
  files::publish(folder / "metrics.jsonl", "{\"step\":1,\"loss\":2}\n{\"step\":2,\"lo");
  EXPECT_THAT(render_report("r", {{"One", folder.path()}}), HasSubstr("Loss, last value 2"));
  files::publish(folder / "metrics.jsonl", "{\"step\":1,\"loss\":2}\n{\"step\":2,\"lo\n");
  try {
    render_report("r", {{"One", folder.path()}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("metrics.jsonl:2"));
  }
}

TEST(Chart, TicksAreRound) {
  EXPECT_THAT(round_ticks(0, 1, 5), testing::Pointwise(testing::DoubleNear(1e-12),
                                                       std::vector<double>{0, .2, .4, .6, .8, 1}));
  EXPECT_THAT(round_ticks(-130, 470, 5), testing::ElementsAre(0, 200, 400));
  EXPECT_THAT(round_ticks(3.2e-5, 3.9e-5, 4), testing::SizeIs(testing::Ge(3)));
  EXPECT_EQ(format_tick(0.4, 0.2), "0.4");
  EXPECT_EQ(format_tick(20000, 10000), "20k");
  EXPECT_EQ(format_tick(2.5e6, 5e5), "2.5M");
  EXPECT_EQ(format_tick(1e-5, 1e-5), "1e-5");
}

TEST(Chart, CountsHaveCommas) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-1000), "-1,000");
  EXPECT_EQ(format_count(-100), "-100");
  EXPECT_EQ(format_count(1843200), "1,843,200");
  EXPECT_EQ(format_count(0.25), "0.25");
}

TEST(Chart, SurvivesWhatIsNotFinite) {
  const double nan = std::nan("");
  EXPECT_EQ(render_chart({"Loss", "step", {{"train", {1, 2}, {nan, nan}}}}), "");
  const std::string svg = render_chart({"Loss", "step", {{"train", {1, 2, 3, 4}, {1, nan, 3, 3}}}});
  EXPECT_THAT(svg, Not(HasSubstr("=\"nan")));
  EXPECT_THAT(render_chart({"Flat", "step", {{"a", {1}, {2}}}}), HasSubstr("<circle"));
}

}  // namespace
}  // namespace plumb
