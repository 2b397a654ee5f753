// The weight of the KL penalty from iteration to iteration (Ziegler et al. 2019, section 2.2; as
// OpenAI's lm-human-preferences, where the horizon counts episodes):
//   e = clip(KL / target - 1, -0.2, 0.2)      coef <- coef (1 + e * episodes / horizon)
#pragma once
#include <algorithm>

#include "ppo/ppo_options.h"

namespace plumb {

class KlController {
 public:
  explicit KlController(const KlOptions& options) : options_(options), coef_(options.coef) {}

  double coef() const { return coef_; }

  // mean_kl: objective/kl of an iteration, nats a response; episodes: responses in it.
  void update(double mean_kl, double episodes) {
    if (!options_.adaptive) return;
    const double error = std::clamp(mean_kl / options_.target - 1.0, -0.2, 0.2);
    coef_ *= 1.0 + error * episodes / options_.horizon;
  }

  // For checkpoints: the coefficient is all its state.
  void restore(double coef) { coef_ = coef; }

 private:
  KlOptions options_;
  double coef_;
};

}  // namespace plumb
