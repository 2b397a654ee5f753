// The pairwise loss; torch-free.
#pragma once
#include <cstdint>

#include "core/io/fields.h"

namespace plumb {

struct PairLossOptions {
  double center_rewards_coefficient = 0.0;

  template <class Visitor>
  void fields(Visitor& v) {
    v("center_rewards_coefficient", center_rewards_coefficient,
      "adds this times (r_chosen + r_rejected)^2, which keeps rewards around zero; 0.01 is usual",
      at_least(0));
  }
};

}  // namespace plumb
