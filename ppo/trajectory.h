// What one iteration of PPO knows about its responses: filled by the rollout, completed by the
// advantages, read by the updates. Everything is ragged and packed; nothing is padded.
//
// B responses; N response tokens in all; S states. A state is a place at which the critic is asked:
// before each response token, and with `compat: trl` once more after the EOS of a response shorter
// than the window. Token t of response b is flat index cu_response[b] + t, its state
// cu_states[b] + t.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plumb {

struct Trajectory {
  // ---- from the sampler ----
  std::vector<uint64_t> sample_ids;             // (B) numbers over the whole run
  std::vector<std::vector<int32_t>> sequences;  // (B) prompt and response, one run of ids
  std::vector<int64_t> prompt_lengths;          // (B) tokens of the prompt, at least 1
  std::vector<int64_t> cu_response;             // (B + 1)
  std::vector<int64_t> cu_states;               // (B + 1)
  std::vector<char> ended;           // (B) true: by EOS or a stop string; false: cut off by length
  std::vector<std::string> answers;  // (B) of the data, for rewards; this rank's only
  at::Tensor sampler_logprobs;       // (N) f32, of the decode steps; only compared

  // ---- from one pass of the training forward over all roles; no gradient ----
  at::Tensor logprobs;      // (N) f32: log pi_old, at the sampling temperature
  at::Tensor ref_logprobs;  // (N) f32
  at::Tensor values;        // (S) f32

  // ---- from the reward ----
  at::Tensor term_scores;  // (B, number of reward terms) f64: raw, of each term
  at::Tensor raw_scores;   // (B) f64: their weighted sum, what objective/scores reports
  at::Tensor scores;       // (B) f64: normalised, clipped, less the missing-EOS penalty

  // ---- from ppo/advantage.h ----
  at::Tensor kl;          // (N) f32: the chosen estimator
  at::Tensor rewards;     // (S) f32: -coef * kl, and the score at the last state
  at::Tensor advantages;  // (N) f32, whitened if asked
  at::Tensor returns;     // (S) f32

  int64_t num_responses() const { return static_cast<int64_t>(sequences.size()); }
  int64_t num_tokens() const { return cu_response.back(); }
  int64_t num_states() const { return cu_states.back(); }
  int64_t response_length(int64_t b) const { return cu_response[b + 1] - cu_response[b]; }
  std::span<const int32_t> prompt(int64_t b) const {
    return std::span(sequences[b]).first(prompt_lengths[b]);
  }
  std::span<const int32_t> response(int64_t b) const {
    return std::span(sequences[b]).subspan(prompt_lengths[b]);
  }
};

}  // namespace plumb
