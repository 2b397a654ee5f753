// Rewards that are computed from the text; pure functions, no LibTorch.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ppo/ppo_options.h"

namespace plumb {

struct ScoredText {
  std::string_view response;
  std::string_view answer;  // of the data; empty when it has none
  int64_t num_tokens = 0;   // of the response
};

using TextReward = std::function<double(const ScoredText&)>;

// The reward of a term of any kind but model, unweighted. Throws Error (Exit::usage) for a pattern
// that does not compile or a field that the kind needs and lacks. A search that exceeds PCRE2's
// match limit (set to a few milliseconds of work) counts as not found, with one warning.
TextReward make_text_reward(const RewardTerm& term);

// True when the term compares with the data's answer: rows without one are then bad input.
bool needs_answer(const RewardTerm& term);

// The number that a text answers with: after its last "####" when it has one (gsm8k), else its last
// number. "1,234.50", "-3", "$12" and "40%" are read; a comma only between groups of three digits.
std::optional<double> last_number(std::string_view text);

}  // namespace plumb
