// What PPO can be told; torch-free, so that recipes and help can list it. Names and defaults are
// TRL 1.12's (trl/experimental/ppo/ppo_config.py) but where users suffered from them: see each help
// line. Batch size, iterations (`steps`), micro-batches, optimizer and schedule are TrainOptions'.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/io/fields.h"
#include "lora/lora_options.h"

namespace plumb {

// How responses are drawn. No top-k, top-p or penalties here: they sample from another distribution
// than the one that is trained, and bias the gradient.
struct RolloutOptions {
  int64_t samples_per_prompt = 1;
  int64_t response_length = 53;
  double temperature = 0.7;
  std::vector<std::string> stop;
  int64_t decode_batch = 64;
  std::string weights = "f32";
  int64_t keep = 2;
  int64_t samples_every = 10;
  int64_t samples_shown = 4;

  template <class Visitor>
  void fields(Visitor& v) {
    v("samples_per_prompt", samples_per_prompt, "responses drawn for each prompt", at_least(1));
    v("response_length", response_length, "tokens of a response at most", at_least(1));
    v("temperature", temperature, "of sampling and of every log-probability alike", above(0));
    v("stop", stop, "strings that end a response, beside EOS");
    v("decode_batch", decode_batch, "responses generated at the same time; changes speed alone",
      at_least(1));
    v("weights", weights,
      "how responses are drawn from the frozen base: f32; bf16, int8 and (on a GPU) nf4 read less "
      "memory, and where they round, responses come from a slightly other policy than is trained: "
      "see sampling/kl",
      one_of({"f32", "bf16", "int8", "nf4"}));
    v("keep", keep, "rollout files (rollouts/iter-*.h5) that are kept; 0 writes none", at_least(0));
    v("samples_every", samples_every,
      "a table of samples every so many iterations; 0 only the first and the last", at_least(0));
    v("samples_shown", samples_shown, "rows of that table", at_least(0));
  }
};

// -coef * KL estimate is part of every token's reward.
struct KlOptions {
  double coef = 0.05;
  std::string estimator = "k1";
  bool adaptive = false;
  double target = 6.0;
  double horizon = 10000;

  template <class Visitor>
  void fields(Visitor& v) {
    v("coef", coef, "weight of the KL penalty (adaptive: where it starts)", at_least(0));
    v("estimator", estimator, "KL of a token: k1 = -r, k2 = r^2/2, k3 = e^r - 1 - r (r: log ratio)",
      one_of({"k1", "k2", "k3"}));
    v("adaptive", adaptive, "steer coef so that objective/kl meets target");
    v("target", target, "adaptive: wanted objective/kl, nats a response", above(0));
    v("horizon", horizon, "adaptive: episodes over which coef adapts", above(0));
  }
};

// One term of the reward; terms are weighted and summed.
struct RewardTerm {
  std::string kind = "model";
  double weight = 1.0;
  std::string path = {};
  std::string pattern = {};
  std::string word = {};
  double target = 0;
  std::string unit = "words";

  template <class Visitor>
  void fields(Visitor& v) {
    v("kind", kind,
      "model (path); regex (pattern): 1 if found; word: 1 if the word appears; length (target, "
      "unit): 1 at the target, falling to 0 at none or twice as long; exact_match and "
      "numeric_match: 1 if the response is, or its last number equals, the data's answer",
      one_of({"model", "regex", "word", "length", "exact_match", "numeric_match"}));
    v("weight", weight, "the term counts so many times; may be negative");
    v("path", path, "model: folder of a reward model or reward adapter");
    v("pattern", pattern, "regex: Perl-compatible, Unicode, searched in the response");
    v("word", word, "word: whole word, upper and lower case alike");
    v("target", target, "length: wanted length", at_least(0));
    v("unit", unit, "length: what is counted", one_of({"tokens", "words", "characters"}));
  }
};

struct RewardOptions {
  std::string model;
  std::string word;
  std::vector<RewardTerm> terms;
  std::string normalise_scores = "model";
  std::optional<double> score_clip;
  std::optional<double> missing_eos_penalty;
  bool whiten_rewards = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("model", model, "folder of a reward model: short for one term of kind model");
    v("word", word, "a word that should appear: short for one term of kind word");
    v("terms", terms, "what is rewarded, as a weighted sum");
    v("normalise_scores", normalise_scores,
      "model: (score - mean) / scale as kept with the reward model, so that kl.coef means the same "
      "for every one; none: as TRL",
      one_of({"model", "none"}));
    v("score_clip", score_clip, "scores are cut to +- this; unset: never", above(0));
    v("missing_eos_penalty", missing_eos_penalty,
      "taken from the score of a response that was cut off at response_length");
    v("whiten_rewards", whiten_rewards, "divide the tokens' rewards by their deviation");
  }
};

struct CriticOptions {
  std::string init = "auto";
  LoraOptions lora;
  std::optional<double> lr;
  int64_t warmup_iterations = 0;
  double vf_coef = 0.1;
  double cliprange_value = 0.2;

  template <class Visitor>
  void fields(Visitor& v) {
    v("init", init,
      "reward: copy of the reward adapter and head; zero: new adapter, zero head; auto: reward "
      "when the reward model is an adapter on this base",
      one_of({"auto", "reward", "zero"}));
    v("lora", lora, "adapter of a critic that does not start from the reward model");
    v("lr", lr, "peak learning rate of the critic; unset: the policy's", above(0));
    v("warmup_iterations", warmup_iterations, "first iterations in which only the critic learns",
      at_least(0));
    v("vf_coef", vf_coef, "weight of the value loss", at_least(0));
    v("cliprange_value", cliprange_value, "a value moves at most so far from the rollout's",
      above(0));
  }
};

struct PpoOptions {
  int64_t num_ppo_epochs = 4;
  int64_t num_mini_batches = 1;
  double cliprange = 0.2;
  std::optional<double> dual_clip;
  double entropy_coef = 0.0;
  double gamma = 1.0;
  double lam = 0.95;
  bool whiten_advantages = true;
  std::optional<double> target_kl;
  std::string compat = "none";
  RolloutOptions rollout;
  KlOptions kl;
  RewardOptions reward;
  CriticOptions critic;

  template <class Visitor>
  void fields(Visitor& v) {
    v("num_ppo_epochs", num_ppo_epochs, "passes over the responses of an iteration", at_least(1));
    v("num_mini_batches", num_mini_batches,
      "updates a pass: an iteration makes num_ppo_epochs x num_mini_batches updates", at_least(1));
    v("cliprange", cliprange, "the ratio counts within 1 +- this (Schulman 2017, eq. 7)",
      between(0, 1));
    v("dual_clip", dual_clip, "bound of the loss at negative advantages, over 1; unset: none",
      above(1));
    v("entropy_coef", entropy_coef, "weight of the entropy bonus", at_least(0));
    v("gamma", gamma, "discount of later rewards", between(0, 1));
    v("lam", lam, "lambda of generalised advantage estimation", between(0, 1));
    v("whiten_advantages", whiten_advantages,
      "mean 0, deviation 1 over the responses of all ranks");
    v("target_kl", target_kl, "ends an iteration's updates once policy/approxkl exceeds it",
      above(0));
    v("compat", compat, "trl: the score lands where TRL puts it, one token after EOS",
      one_of({"none", "trl"}));
    v("rollout", rollout, "how responses are drawn");
    v("kl", kl, "penalty for leaving the reference");
    v("reward", reward, "what is rewarded");
    v("critic", critic, "the value function");
  }
};

}  // namespace plumb
