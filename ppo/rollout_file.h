// rollouts/iter-00012.h5 of a run folder: all that an iteration knew about its responses, for
// whoever wants to look. Datasets (B responses, N response tokens, S states, W tokens in all):
//   tokens (W) int32, token_offsets (B+1) int64, prompt_lengths (B) int64
//   response_offsets (B+1), state_offsets (B+1), sample_ids (B), ended (B) int64
//   logprobs, ref_logprobs, sampler_logprobs, kl, advantages (N) f32; values, rewards, returns (S)
//   f32 raw_scores, scores (B) f64; term_scores (B, terms) f64
#pragma once
#include <cstdint>
#include <string>

#include "ppo/trajectory.h"

namespace plumb {

// Publishes the file of `iteration` (from 1) and then removes those of iterations up to
// iteration - keep. keep 0 writes nothing.
void write_rollout(const std::string& run_folder, int64_t iteration, int64_t keep,
                   const Trajectory& all);

std::string rollout_path(const std::string& run_folder, int64_t iteration);

}  // namespace plumb
