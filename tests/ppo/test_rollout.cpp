#include "ppo/rollout.h"

#include <set>

#include "core/data/hdf5_file.h"
#include "core/error.h"
#include "ppo/iteration_metrics.h"
#include "ppo/micro_rows.h"
#include "ppo/response_stats.h"
#include "ppo/rollout_file.h"
#include "tests/ppo/fixture.h"
#include "tests/ppo/small_world.h"

namespace plumb::test {
namespace {

std::vector<RolloutRequest> some_requests(int64_t count) {
  std::vector<RolloutRequest> requests;
  for (int64_t i = 0; i < count; ++i) {
    requests.push_back({static_cast<uint64_t>(100 + i), {2, static_cast<int32_t>(3 + i)}, "w7"});
  }
  return requests;
}

Trajectory roll(SmallWorld& world, const std::vector<RolloutRequest>& requests,
                ScorePlacement placement = ScorePlacement::last_token) {
  const RolloutSettings settings{world.job.ppo.rollout, placement, 5, 64};
  Trajectory trajectory = sample_responses(world.job.models, settings, requests);
  evaluate_roles(world.job.models, world.job.terms, settings, trajectory);
  score_responses(world.job.terms, world.job.ppo.reward, world.job.models, trajectory);
  return trajectory;
}

// A trained-looking adapter: roles must differ for the test to see them mixed up.
void shake(const Adapter& adapter, double deviation) {
  for (const NamedTensor& tensor : parameters(adapter)) {
    tensor.tensor.add_(at::randn_like(tensor.tensor), deviation);
  }
}

// What the sampler says of its tokens is of the narrow weights; what is trained is not.
TEST(Rollout, NarrowWeightsDrawFromAPolicyNearby) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  at::manual_seed(1);
  shake(world.policy, 0.1);
  const auto gap = [&world](WeightFormat format) {
    const RolloutSettings settings{world.job.ppo.rollout,
                                   ScorePlacement::last_token,
                                   5,
                                   64,
                                   {std::make_shared<DecodeWeights>(format), nullptr}};
    Trajectory t = sample_responses(world.job.models, settings, some_requests(8));
    evaluate_roles(world.job.models, world.job.terms, settings, t);
    return (t.sampler_logprobs - t.logprobs).abs().max().item<double>();
  };
  const double f32 = gap(WeightFormat::f32), int8 = gap(WeightFormat::int8);
  EXPECT_LT(f32, 1e-5);
  EXPECT_GT(int8, 10 * f32);
  EXPECT_LT(int8, 0.05);
}

TEST(Rollout, EveryRoleIsAsIfItRanAlone) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  at::manual_seed(1);
  Adapter reference = clone(world.policy);
  Adapter reward = clone(world.critic);
  shake(world.policy, 0.1);
  shake(reference, 0.1);
  shake(world.critic, 0.1);
  shake(reward, 0.1);
  world.head.normal_();
  const at::Tensor reward_head = at::randn_like(world.head);
  world.job.models.reference = &reference;
  ScoreTerm term;
  term.model = ModelReward{{&world.decoder, &reward, reward_head}, {0.5, 2.0}};
  world.job.terms.push_back(term);
  const Trajectory all = roll(world, some_requests(5));

  for (int64_t b = 0; b < all.num_responses(); ++b) {
    const PackedBatch batch = pack({all.sequences[b]});
    const auto hidden_of = [&](const Adapter* adapter) {
      ForwardOptions options;
      options.adapters = {{0, batch.num_rows(), adapter}};
      return world.decoder.hidden(batch, options);
    };
    const int64_t first = all.prompt_lengths[b] - 1;
    const int64_t length = all.response_length(b);
    const at::Tensor targets = batch.tokens.slice(0, first + 1);
    const auto logprobs_of = [&](const Adapter* adapter) {
      const at::Tensor logits =
          world.decoder.logits(hidden_of(adapter).slice(0, first, first + length)) /
          world.job.ppo.rollout.temperature;
      return logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1);
    };
    const int64_t begin = all.cu_response[b], end = all.cu_response[b + 1];
    expect_close(all.logprobs.slice(0, begin, end), logprobs_of(&world.policy), 1e-5, "policy");
    expect_close(all.sampler_logprobs.slice(0, begin, end), logprobs_of(&world.policy), 1e-4,
                 "sampler");
    expect_close(all.ref_logprobs.slice(0, begin, end), logprobs_of(&reference), 1e-5, "reference");
    const at::Tensor values = hidden_of(&world.critic).slice(0, first, first + length);
    expect_close(all.values.slice(0, begin, end), values.mv(world.head[0]), 1e-5, "values");
    const at::Tensor last = hidden_of(&reward)[first + length];
    expect_close(all.term_scores[b][1], last.dot(reward_head[0]), 1e-5, "reward model");
  }
}

TEST(Rollout, ResponsesDependOnTheirSampleNumberAlone) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  const auto requests = some_requests(6);
  const Trajectory together = roll(world, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(roll(world, {requests[i]}).sequences[0], together.sequences[i]);
  }
}

TEST(Rollout, TrlHasOneMoreStateAfterAnEarlyEnd) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  world.job.ppo.rollout.response_length = 30;
  const Trajectory all = roll(world, some_requests(8), ScorePlacement::after_eos);
  int64_t early = 0;
  for (int64_t b = 0; b < all.num_responses(); ++b) {
    const bool is_early = all.response_length(b) < 30;
    early += is_early;
    EXPECT_EQ(all.cu_states[b + 1] - all.cu_states[b], all.response_length(b) + is_early);
    EXPECT_EQ(is_early || all.ended[b], all.ended[b] != 0);
  }
  ASSERT_GT(early, 0) << "the case must hold a response that ends early";
  const MicroRows rows = micro_rows(all, {0, 1});
  EXPECT_EQ(rows.state_rows.size(0), all.cu_states[2]);
}

TEST(Scoring, NormalisesThenClipsThenPunishesMissingEos) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  Trajectory trajectory = roll(world, some_requests(4));
  world.job.terms[0].model = ModelReward{{&world.decoder, nullptr, world.head}, {1.0, 2.0}};
  world.job.terms[0].weight = 3.0;
  trajectory.term_scores = at::tensor({5.0, -9.0, 1.0, 1.0}, at::kDouble).unsqueeze(1);
  trajectory.ended = {1, 1, 1, 0};
  RewardOptions options;
  options.score_clip = 10.0;
  options.missing_eos_penalty = 0.5;
  score_responses(world.job.terms, options, world.job.models, trajectory);
  // (raw - 1) / 2 * 3, cut to +-10, the last less 0.5.
  expect_close(trajectory.raw_scores, at::tensor({15.0, -27.0, 3.0, 3.0}, at::kDouble), 0, "raw");
  expect_close(trajectory.scores, at::tensor({6.0, -10.0, 0.0, -0.5}, at::kDouble), 0, "scores");
  options.normalise_scores = "none";
  score_responses(world.job.terms, options, world.job.models, trajectory);
  expect_close(trajectory.scores, at::tensor({10.0, -10.0, 3.0, 2.5}, at::kDouble), 0,
               "raw scores");
}

TEST(Scoring, MissingAnswerIsNamed) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  RewardTerm term;
  term.kind = "exact_match";
  world.job.terms = {text_term(term)};
  auto requests = some_requests(2);
  EXPECT_NO_THROW(roll(world, requests));
  requests[1].answer.clear();
  EXPECT_THROW(roll(world, requests), Error);
}

TEST(Scoring, ShortFormsAreTerms) {
  RewardOptions options;
  EXPECT_THROW(reward_terms(options), Error);
  options.word = "dog";
  options.model = "reward/adapter";
  const auto terms = reward_terms(options);
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].path, "reward/adapter");
  EXPECT_EQ(terms[1].kind, "word");
}

TEST(Minibatches, CoverEveryResponseOnceWhateverTheRanks) {
  Trajectory all;
  all.cu_response = {0};
  for (int64_t b = 0; b < 10; ++b) {
    all.sequences.push_back(std::vector<int32_t>(static_cast<std::size_t>(b + 2), 1));
    all.cu_response.push_back(all.cu_response.back() + b + 1);
  }
  all.cu_states = all.cu_response;
  const EpochPlan plan{3, 7, 4};
  const auto whole = minibatches(all, 0, 10, plan);
  const auto left = minibatches(all, 0, 5, plan), right = minibatches(all, 5, 5, plan);
  std::multiset<int64_t> seen;
  for (std::size_t m = 0; m < whole.size(); ++m) {
    double tokens = 0;
    for (const int64_t b : whole[m].local) {
      seen.insert(b);
      tokens += static_cast<double>(all.response_length(b));
    }
    EXPECT_EQ(whole[m].num_tokens, tokens);
    EXPECT_EQ(left[m].num_tokens, tokens) << "the mean divides by the tokens of all ranks";
    EXPECT_EQ(left[m].local.size() + right[m].local.size(), whole[m].local.size());
  }
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 10u);
  EXPECT_NE(whole[0].local, minibatches(all, 0, 10, {3, 7, 5})[0].local) << "epochs differ";
}

TEST(RolloutFile, HoldsTheTrajectoryAndOldOnesGo) {
  const TestFolder folder;
  SmallWorld world(folder / "p.h5");
  Trajectory all = roll(world, some_requests(3));
  all.kl = all.advantages = all.logprobs;
  all.rewards = all.returns = all.values;
  const std::string run = folder / "run";
  for (int64_t iteration = 1; iteration <= 4; ++iteration) write_rollout(run, iteration, 2, all);
  EXPECT_FALSE(files::exists(rollout_path(run, 2)));
  EXPECT_TRUE(files::exists(rollout_path(run, 3)));
  const Hdf5File file = Hdf5File::open(rollout_path(run, 4));
  EXPECT_EQ(file.integer_attribute("iteration"), 4);
  EXPECT_EQ(file.read_all<int64_t>("response_offsets"), all.cu_response);
  const auto tokens = file.read_all<int32_t>("tokens");
  EXPECT_TRUE(std::equal(all.sequences[0].begin(), all.sequences[0].end(), tokens.begin()));
  const auto logprobs = file.read_all<float>("logprobs");
  EXPECT_TRUE(at::tensor(logprobs).equal(all.logprobs));
  write_rollout(run, 9, 0, all);
  EXPECT_FALSE(files::exists(rollout_path(run, 9)));
}

TEST(ResponseStats, CountNGrams) {
  const std::vector<int32_t> varied{1, 2, 3, 4}, stuck{1, 1, 1, 1, 1}, brief{1};
  // stuck: four 2-grams, one of them new. brief has none and does not count.
  EXPECT_DOUBLE_EQ(repetition({varied, stuck, brief}, 2), (0.0 + 0.75) / 2);
  EXPECT_DOUBLE_EQ(distinct({varied, varied}, 2), 3.0 / 6.0);
  EXPECT_EQ(distinct({brief}, 2), 0.0);
  EXPECT_EQ(repetition({}, 4), 0.0);
}

TEST(IterationMetrics, AreMaskedMeansOfTheTrajectory) {
  Trajectory all;
  all.sequences = {{1, 2, 3}, {1, 4}};
  all.sample_ids = {0, 1};
  all.prompt_lengths = {1, 1};
  all.cu_response = all.cu_states = {0, 2, 3};
  all.ended = {1, 0};
  all.logprobs = at::tensor({-1.0f, -2.0f, -4.0f});
  all.ref_logprobs = at::tensor({-1.5f, -2.5f, -3.0f});
  all.sampler_logprobs = at::tensor({-1.0f, -2.0f, -4.25f});
  all.kl = all.logprobs - all.ref_logprobs;
  all.values = at::tensor({0.0f, 1.0f, 0.0f});
  all.returns = at::tensor({0.0f, 2.0f, 1.0f});
  all.raw_scores = at::tensor({1.0, 0.0}, at::kDouble);
  all.scores = at::tensor({3.0, 1.0}, at::kDouble);
  UpdateResult updates;
  updates.minibatches = {{.approxkl = 0.0, .ratio = 1.0}, {.approxkl = 0.4, .ratio = 1.2}};
  const Metrics metrics = iteration_metrics({all, updates, {1, 1, 2}, 0.1, 1e-3, 2e-3, 2});
  EXPECT_DOUBLE_EQ(value_of(metrics, "objective/kl"), (0.5 + 0.5 - 1.0) / 2);
  EXPECT_DOUBLE_EQ(value_of(metrics, "objective/entropy"), 3.5);
  EXPECT_DOUBLE_EQ(value_of(metrics, "objective/scores"), 0.5);
  EXPECT_DOUBLE_EQ(value_of(metrics, "objective/rlhf_reward"), 2.0);
  EXPECT_DOUBLE_EQ(value_of(metrics, "policy/approxkl_avg"), 0.2);
  EXPECT_DOUBLE_EQ(value_of(metrics, "policy/approxkl_first"), 0.0);
  EXPECT_NEAR(value_of(metrics, "val/ratio"), 1.1, 1e-15);
  EXPECT_NEAR(value_of(metrics, "val/ratio_var"), 0.02, 1e-12);
  EXPECT_DOUBLE_EQ(value_of(metrics, "val/num_eos_tokens"), 1);
  EXPECT_DOUBLE_EQ(value_of(metrics, "val/response_length"), 1.5);
  EXPECT_DOUBLE_EQ(value_of(metrics, "sampling/logprob_gap_max"), 0.25);
  // Var(R) = 1 and Var(R - V) = Var(0, 1, 1) = 1/3, both unbiased.
  EXPECT_NEAR(value_of(metrics, "val/explained_var"), 1.0 - (1.0 / 3.0), 1e-12);
}

}  // namespace
}  // namespace plumb::test
