// Some responses of a trajectory laid out for one forward pass, and where in it the numbers stand.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "core/model/packed_batch.h"
#include "ppo/trajectory.h"

namespace plumb {

struct MicroRows {
  PackedBatch batch;               // prompts and responses; n rows
  at::Tensor predict_rows;         // (M) int64: the row whose logits predict each response token
  at::Tensor targets;              // (M) int64: that token
  at::Tensor tokens;               // (M) int64: its flat index in the trajectory
  at::Tensor state_rows;           // (K) int64: the row whose value is each state's
  at::Tensor states;               // (K) int64: the state's flat index in the trajectory
  std::vector<int64_t> responses;  // which responses these are
};

// The indices lie on `device`, beside what they index.
MicroRows micro_rows(const Trajectory& trajectory, const std::vector<int64_t>& responses,
                     const at::Device& device = at::kCPU);

// `responses` in micro-batches of at most `max_rows` rows in `roles` copies.
std::vector<std::vector<int64_t>> divide(const Trajectory& trajectory,
                                         const std::vector<int64_t>& responses, int64_t roles,
                                         int64_t max_rows);

}  // namespace plumb
