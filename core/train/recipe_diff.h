// What differs between two resolved recipes, for the refusal of a resume.
#pragma once
#include <string>
#include <vector>

namespace plumb {

// "train.batch_size: 32 in the checkpoint, 64 now", a line a key. Keys that choose only what is
// shown or kept (out, log_every, eval_every, checkpoint_every, ppo.rollout.keep, ...) may differ.
std::vector<std::string> recipe_differences(const std::string& before, const std::string& now);

}  // namespace plumb
