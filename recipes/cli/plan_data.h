// How many samples a run has and how long they are: from the prepared store where there is one,
// else from a part of the rows, else from the files' sizes. `how` says which.
#pragma once
#include <optional>

#include "core/plan/batches.h"
#include "core/text/tokenizer.h"
#include "recipes/common/prepare_data.h"

namespace plumb {

struct PlanData {
  plan::DataShape train;
  std::optional<plan::DataShape> held_out;
};

// `tokenizer` null: there is none yet.
PlanData look_at_data(const DataNeed& need, const Tokenizer* tokenizer);

}  // namespace plumb
