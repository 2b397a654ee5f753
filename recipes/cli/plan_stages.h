// The plans of a recipe of stages, in order: a later stage's model may be one that an earlier stage
// is going to make, its data those that a stage makes.
#pragma once
#include <string>
#include <vector>

#include "recipes/cli/plan_shapes.h"
#include "recipes/cli/stage_run.h"

namespace plumb {

struct PlannedStage {
  std::string name;
  PlannedJob job;
  RunOptions run;
};

std::vector<PlannedStage> plan_stages(const StageRun& run, const plan::Precision& precision);

}  // namespace plumb
