// run.precision through the binary.
#include <gtest/gtest.h>

#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

constexpr double kBf16Step = 1.0 / 256;  // relative, of a number rounded to nearest

TEST(Precision, Bf16ProductsMoveTheLossesByTheirRounding) {
  const Words steps{"train.steps=4", "train.log_every=1", "train.optimizer.lr=0.001"};
  const Outcome bf16 =
      plumb_run(workshop().sft("precision_bf16") + steps + Words{"run.precision=bf16"});
  if (bf16.err.find("AVX512-BF16") != std::string::npos) {
    GTEST_SKIP() << "this CPU does not multiply bf16";
  }
  must(bf16);
  must(plumb_run(workshop().sft("precision_f32") + steps));
  const auto got = metrics_of(workshop().path("precision_bf16"));
  const auto want = metrics_of(workshop().path("precision_f32"));
  ASSERT_EQ(got.size(), want.size());
  int losses = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (!want[i].contains("grad_norm")) continue;
    const double loss = want[i].at("loss"), norm = want[i].at("grad_norm");
    EXPECT_NEAR(got[i].at("loss").get<double>(), loss, kBf16Step * loss) << i;
    EXPECT_NEAR(got[i].at("grad_norm").get<double>(), norm, 4 * kBf16Step * norm) << i;
    EXPECT_NE(got[i].at("grad_norm").get<double>(), norm) << i << ": nothing was rounded";
    ++losses;
  }
  EXPECT_EQ(losses, 4);
}

}  // namespace
}  // namespace plumb::test
