#include "recipes/cli/job_line.h"

namespace plumb {

void JobLine::apply_to(RunOptions& run) const {
  if (out) run.out = *out;
  if (device) run.device = *device;
  if (seed) run.seed = *seed;
  if (threads) run.threads = *threads;
  if (ranks) run.ranks = *ranks;
}

RecipeWords recipe_words(const std::vector<std::string>& positional) {
  RecipeWords words;
  for (const auto& word : positional) {
    if (word.find('=') != std::string::npos) {
      words.overrides.push_back(word);
    } else if (words.path.empty() && words.overrides.empty()) {
      words.path = word;
    } else {
      throw Error("'" + word + "': one recipe, then key=value overrides", Exit::usage);
    }
  }
  return words;
}

}  // namespace plumb
