#include "ppo/micro_rows.h"

#include <algorithm>

#include "core/data/batch_plan.h"

namespace plumb {

MicroRows micro_rows(const Trajectory& trajectory, const std::vector<int64_t>& responses,
                     const at::Device& device) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> prompt_lengths;
  std::vector<int64_t> predict_rows, targets, tokens, state_rows, states;
  int64_t first_row = 0;
  for (const int64_t b : responses) {
    const auto& sequence = trajectory.sequences[b];
    sequences.push_back(sequence);
    prompt_lengths.push_back(trajectory.prompt_lengths[b]);
    // The state before a token is the row of the token before it.
    const int64_t before_response = first_row + trajectory.prompt_lengths[b] - 1;
    for (int64_t t = 0; t < trajectory.response_length(b); ++t) {
      predict_rows.push_back(before_response + t);
      targets.push_back(sequence[trajectory.prompt_lengths[b] + t]);
      tokens.push_back(trajectory.cu_response[b] + t);
    }
    for (int64_t s = trajectory.cu_states[b]; s < trajectory.cu_states[b + 1]; ++s) {
      state_rows.push_back(before_response + s - trajectory.cu_states[b]);
      states.push_back(s);
    }
    first_row += static_cast<int64_t>(sequence.size());
  }
  const auto indices = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(device);
  };
  return {pack(sequences, prompt_lengths),
          indices(predict_rows),
          indices(targets),
          indices(tokens),
          indices(state_rows),
          indices(states),
          responses};
}

std::vector<std::vector<int64_t>> divide(const Trajectory& trajectory,
                                         const std::vector<int64_t>& responses, int64_t roles,
                                         int64_t max_rows) {
  std::vector<int64_t> lengths;
  for (const int64_t b : responses) {
    lengths.push_back(static_cast<int64_t>(trajectory.sequences[b].size()));
  }
  return micro_batches(responses, lengths, std::max<int64_t>(1, max_rows / roles));
}

}  // namespace plumb
