// Prompts become a Trajectory: responses are sampled, then one pass of the training forward over
// their tokens gives the log-probabilities and values of all roles (DESIGN.md 3, 4).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/dist/comm.h"
#include "core/model/generate.h"
#include "ppo/advantage.h"
#include "ppo/models.h"
#include "ppo/ppo_options.h"
#include "ppo/scoring.h"
#include "ppo/trajectory.h"

namespace plumb {

struct RolloutRequest {
  uint64_t sample_id = 0;  // keys the draws, so that results do not depend on ranks
  std::vector<int32_t> prompt;
  std::string answer;
};

struct RolloutSettings {
  const RolloutOptions& options;
  ScorePlacement placement = ScorePlacement::last_token;
  uint64_t seed = 0;
  int64_t micro_batch_tokens = 4096;
  KeptWeights weights = {};  // in options.weights' format; null: f32
};

// Samples a response to each request from the policy. A stop request (core/train/signals.h) ends it
// early; the trajectory is then incomplete and not to be used.
Trajectory sample_responses(const PpoModels& models, const RolloutSettings& settings,
                            const std::vector<RolloutRequest>& requests);

// Fills logprobs, ref_logprobs, values and the term_scores of reward models on the same base. Each
// role is a group of rows of one batch, so the base's weights are read once.
void evaluate_roles(const PpoModels& models, const std::vector<ScoreTerm>& terms,
                    const RolloutSettings& settings, Trajectory& trajectory);

// All ranks' responses in rank order, with the tensors that are filled in so far; with one rank,
// the trajectory itself. `answers` stay behind.
Trajectory gather(const Trajectory& local, Comm& comm);

}  // namespace plumb
