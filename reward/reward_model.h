// A scalar head on a decoder: one number for a text (reward), or one for every token (value).
// The head is a (1, C) linear without bias on the hidden state after the final norm, as
// transformers' LlamaForSequenceClassification with num_labels = 1; a text's score is read at its
// last token, by index and never by looking for padding (features.md, pain 31).
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/model/decoder.h"

namespace plumb {

// mean and scale of the raw score on the training pairs: normalised = (raw - mean) / scale.
struct RewardStatistics {
  double mean = 0.0;
  double scale = 1.0;
};

// hidden: (N, C), score: (1, C) -> (N): a value for every row.
at::Tensor head_values(const at::Tensor& hidden, const at::Tensor& score);

// hidden: (N, C) of a packed batch -> (B): the value at each sequence's last row.
at::Tensor last_values(const at::Tensor& hidden, const std::vector<int64_t>& cu_seqlens,
                       const at::Tensor& score);

// reward.json beside adapter or model: mean and scale. Absent: 0 and 1.
RewardStatistics load_reward_statistics(const std::string& folder);
void save_reward_statistics(const RewardStatistics& statistics, const std::string& folder);

}  // namespace plumb
