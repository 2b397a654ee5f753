// The reward of a response: reward models and text rewards as a weighted sum, then normalisation,
// clipping and the missing-EOS penalty.
#pragma once
#include <optional>
#include <vector>

#include "core/text/tokenizer.h"
#include "ppo/models.h"
#include "ppo/ppo_options.h"
#include "ppo/programmatic_reward.h"
#include "ppo/trajectory.h"
#include "reward/reward_model.h"
#include "reward/score.h"

namespace plumb {

// A reward model. On the policy's base it is one more role of the rollout's pass over the tokens;
// on another base it runs by itself.
struct ModelReward {
  Scorer scorer;
  RewardStatistics statistics;
  const Tokenizer* tokenizer = nullptr;  // null: reads the policy's ids; else the text is encoded
};

// Exactly one of `text` and `model` is set.
struct ScoreTerm {
  double weight = 1.0;
  TextReward text;
  std::optional<ModelReward> model;
  bool needs_answer = false;
};

// The terms of the options in order: `terms`, then the short forms `model` and `word`. Throws Error
// (Exit::usage) when nothing is rewarded.
std::vector<RewardTerm> reward_terms(const RewardOptions& options);

// A term of any kind but model, ready to score.
ScoreTerm text_term(const RewardTerm& term);

bool shares_base(const ScoreTerm& term, const PpoModels& models);

// Fills raw_scores and scores. term_scores holds the terms that share the base already (the
// rollout's pass wrote them); the others are computed here.
void score_responses(const std::vector<ScoreTerm>& terms, const RewardOptions& options,
                     const PpoModels& models, Trajectory& trajectory);

}  // namespace plumb
