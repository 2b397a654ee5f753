// The learning rate of every update, as a pure function of its number. The values are those of
// transformers' get_scheduler ("linear", "cosine", "constant_with_warmup", "warmup_stable_decay"
// with its cosine decay, "cosine_with_min_lr"), so update 0 of a warm-up has rate 0. Beyond them,
// min_lr_ratio lifts the linear decay too.
#pragma once
#include <cstdint>

#include "core/train/train_options.h"

namespace plumb {

// step: updates already made (0 for the first). Steps past total_steps keep the last value
// (transformers' cosine rises again).
double learning_rate(double peak, const ScheduleOptions& options, int64_t step,
                     int64_t total_steps);

// warmup_steps, or warmup_ratio of the run rounded up as transformers does; at most total_steps.
int64_t warmup_updates(const ScheduleOptions& options, int64_t total_steps);

}  // namespace plumb
