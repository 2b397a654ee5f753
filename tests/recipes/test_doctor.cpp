// `plumb doctor`, and a device that is not there, through the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/machine/nvidia.h"
#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

TEST(Doctor, SaysWhatIsHereAndWhatWillNotWork) {
  const auto outcome = plumb_run({"doctor", "--json"});
  must(outcome);
  const Json report = parse_json(outcome.out, "plumb doctor");
  EXPECT_TRUE(report["can_run"]);
  std::string topics;
  for (const Json& finding : report["findings"]) {
    topics += finding["topic"].get<std::string>() + " ";
    if (finding["topic"] == "jobs") {
      EXPECT_THAT(finding["found"].get<std::string>(), HasSubstr("LibTorch 2."));
    }
    if (finding["topic"] == "gpu") {
      EXPECT_EQ(finding["problem"].get<std::string>().empty(),
                read_nvidia_driver().problem.empty());
    }
  }
  EXPECT_EQ(topics, "cpu memory jobs gpu cuda plugin nccl ");
}

TEST(Doctor, ADeviceThatIsNotThereIsAnErrorOfUsage) {
  const auto outcome = plumb_run(workshop().sft("cuda") + Words{"--device", "cuda"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("device cuda: "));
  EXPECT_THAT(outcome.err, HasSubstr("use --device cpu"));
}

}  // namespace
}  // namespace plumb::test
