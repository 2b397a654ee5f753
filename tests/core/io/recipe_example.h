// Option groups with a field of every type.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/io/recipe_io.h"

namespace plumb {

struct TrainGroup {
  std::int64_t steps = 100;
  double learning_rate = 1e-5;
  bool shuffle = true;
  std::string schedule = "cosine";
  std::optional<double> max_grad_norm = 1.0;
  std::optional<std::int64_t> save_every;

  template <class Visitor>
  void fields(Visitor& v) {
    v("steps", steps, "optimizer steps", at_least(1));
    v("learning_rate", learning_rate, "peak learning rate", above(0));
    v("shuffle", shuffle, "draw samples in a new order each epoch");
    v("schedule", schedule, "of the learning rate", one_of({"cosine", "linear", "constant"}));
    v("max_grad_norm", max_grad_norm, "clip the global gradient norm; null: never", above(0));
    v("save_every", save_every, "steps between checkpoints; null: only at the end", at_least(1));
  }
  bool operator==(const TrainGroup&) const = default;
};

struct StageGroup {
  std::string name;
  TrainGroup train;

  template <class Visitor>
  void fields(Visitor& v) {
    v("name", name, "what later stages call it", required());
    v("train", train, "how it is trained");
  }
  bool operator==(const StageGroup&) const = default;
};

struct ExampleRecipe {
  std::string model;
  std::optional<std::string> system_prompt;
  std::vector<std::string> targets = {"q", "v"};
  std::vector<double> betas = {0.9, 0.999};
  std::vector<std::int64_t> seeds;
  TrainGroup train;
  std::vector<StageGroup> stages;

  template <class Visitor>
  void fields(Visitor& v) {
    v("model", model, "folder of the base model", required());
    v("system_prompt", system_prompt, "put before each dialogue");
    v("targets", targets, "linears that get an adapter", one_of({"q", "k", "v", "o"}));
    v("betas", betas, "decay of the optimizer's moments", between(0, 1));
    v("seeds", seeds, "one run each", at_least(0));
    v("train", train, "the training loop");
    v("stages", stages, "run in order");
  }
  bool operator==(const ExampleRecipe&) const = default;
};

}  // namespace plumb
