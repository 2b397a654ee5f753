#include "core/plan/plan.h"

#include <algorithm>

namespace plumb::plan {

const Phase& Plan::peak() const {
  return *std::max_element(phases.begin(), phases.end(),
                           [](const Phase& a, const Phase& b) { return a.total() < b.total(); });
}

double Plan::seconds() const {
  double seconds = 0;
  for (const WorkItem& item : work) seconds += item.times * item.seconds;
  return seconds;
}

void Plan::set_program_bytes(double bytes) {
  for (Phase& phase : phases) phase[Kind::program] = bytes;
}

}  // namespace plumb::plan
