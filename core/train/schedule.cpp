#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace plumb {
namespace {

// 1 at progress 0, 0 at progress 1.
double half_cosine(double progress) {
  return 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

double between_floor_and_one(double factor, double floor) {
  return factor * (1.0 - floor) + floor;
}

}  // namespace

int64_t warmup_updates(const ScheduleOptions& options, int64_t total_steps) {
  const int64_t wanted = options.warmup_steps > 0
                             ? options.warmup_steps
                             : static_cast<int64_t>(std::ceil(options.warmup_ratio *
                                                              static_cast<double>(total_steps)));
  return std::min(wanted, total_steps);
}

double learning_rate(double peak, const ScheduleOptions& options, int64_t step,
                     int64_t total_steps) {
  const int64_t warmup = warmup_updates(options, total_steps);
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (options.schedule == "constant") return peak;

  int64_t decay = total_steps - warmup;
  if (options.schedule == "wsd") {
    const double share = std::ceil(options.decay_ratio * static_cast<double>(total_steps));
    decay = std::min(decay, static_cast<int64_t>(share));
  }
  const int64_t decay_start = total_steps - decay;
  if (step < decay_start) return peak;

  const double progress = std::min(1.0, static_cast<double>(step - decay_start) /
                                            static_cast<double>(std::max<int64_t>(1, decay)));
  const double factor = options.schedule == "linear" ? 1.0 - progress : half_cosine(progress);
  return peak * between_floor_and_one(factor, options.min_lr_ratio);
}

}  // namespace plumb
