// A reward model against transformers' scores and TRL's own compute_loss
// (tests/oracle/make_reward.py).
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "reward/pair_loss.h"
#include "reward/reward_model.h"
#include "reward/score.h"
#include "tests/support/allclose.h"
#include "tests/support/fixture.h"

namespace plumb {
namespace {

const std::string kFolder = "tests/oracle/fixtures/reward";

struct Case {
  const char* name;
  double centering;
  bool has_margin;
};

std::vector<std::vector<int32_t>> sequences(const test::Fixture& expected) {
  std::vector<std::vector<int32_t>> all;
  for (int i = 0; i < 6; ++i) {
    const auto& ids = expected.at("sequence." + std::to_string(i));
    all.emplace_back();
    for (int64_t t = 0; t < ids.numel(); ++t)
      all.back().push_back(static_cast<int32_t>(ids[t].item<int64_t>()));
  }
  return all;
}

class RewardOracle : public testing::Test {
 protected:
  test::Fixture expected = test::read_fixture_file(kFolder + "/expected.safetensors");
  Decoder decoder = load_decoder(kFolder + "/model");
  at::Tensor score = load_score(kFolder + "/model");
};

TEST_F(RewardOracle, ScoresAreThoseOfTransformers) {
  const auto scores = score_sequences({&decoder, nullptr, score, 4096}, sequences(expected));
  EXPECT_TRUE(test::all_close(at::tensor(scores, at::kDouble), expected.at("scores"), 1e-5, 1e-5));
}

TEST_F(RewardOracle, AScoreDoesNotDependOnItsBatch) {
  const auto texts = sequences(expected);
  const auto together = score_sequences({&decoder, nullptr, score, 4096}, texts);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_NEAR(score_sequences({&decoder, nullptr, score, 1}, {texts[i]})[0], together[i], 1e-5);
  }
}

TEST_F(RewardOracle, LossAndGradientsAreThoseOfTrl) {
  const auto texts = sequences(expected);
  const auto batch = pack(texts);  // TRL's order: all chosen, then all rejected
  for (const Case& c :
       {Case{"plain", 0, false}, Case{"margin", 0, true}, Case{"centred", 0.01, true}}) {
    for (const auto& [name, tensor] : decoder.parameters()) {
      tensor.set_requires_grad(name != "lm_head");
      tensor.mutable_grad() = at::Tensor();
    }
    score.set_requires_grad(true);
    score.mutable_grad() = at::Tensor();
    const auto values = last_values(decoder.hidden(batch), batch.cu_seqlens, score);
    const auto margin = c.has_margin ? expected.at("margin").to(at::kFloat) : at::zeros({3});
    const auto loss =
        pair_loss_sum({values.narrow(0, 0, 3), values.narrow(0, 3, 3), margin}, c.centering) / 3;
    loss.backward();
    const std::string name = c.name;
    EXPECT_TRUE(test::all_close(loss.view({1}), expected.at(name + ".loss"), 1e-5, 0)) << name;
    EXPECT_TRUE(test::all_close(score.grad(), expected.at(name + ".grad_score"), 1e-4, 1e-5))
        << name;
    const auto qkv = decoder.weights.layers[0].qkv.weight.grad();
    EXPECT_TRUE(test::all_close(qkv.narrow(0, 0, 32), expected.at(name + ".grad_q"), 1e-3, 1e-5))
        << name;
    EXPECT_TRUE(test::all_close(decoder.weights.embed_tokens.grad(),
                                expected.at(name + ".grad_embed"), 1e-3, 1e-5))
        << name;
  }
}

TEST(PairLoss, IsLnTwoAtEqualScores) {
  const auto equal = at::full({5}, 0.7);
  EXPECT_NEAR(pair_loss_sum({equal, equal, at::zeros({5})}, 0).item<double>() / 5, std::log(2.0),
              1e-6);
}

TEST(PairScores, AccuracyCountsTiesHalf) {
  EXPECT_DOUBLE_EQ((PairScores{{1, 2, 3}, {0, 2, 4}}.accuracy()), 0.5);
}

TEST(RewardStatistics, RoundTripAndRefuseWhatCannotScale) {
  const std::string folder = testing::TempDir() + "/reward_statistics";
  files::create_directories(folder);
  save_reward_statistics({1.25, 0.5}, folder);
  EXPECT_DOUBLE_EQ(load_reward_statistics(folder).mean, 1.25);
  EXPECT_DOUBLE_EQ(load_reward_statistics(folder).scale, 0.5);
  files::publish(folder + "/reward.json", R"({"mean": 0, "scale": 0})");
  EXPECT_THROW(load_reward_statistics(folder), Error);
}

}  // namespace
}  // namespace plumb
