// Which metrics are drawn, under which title, and which are the first figures a reader should see.
#pragma once
#include <string>
#include <vector>

#include "core/train/report_data.h"

namespace plumb {

struct ChartSet {
  std::vector<Chart> main;  // what a stage is judged by
  std::vector<Chart> more;  // every other metric, a chart each
};

ChartSet charts_of(const RunData& run);

// "Loss 3.912 -> 1.204": first and last value of a headline metric.
struct Fact {
  std::string name;
  double first = 0, last = 0;
};
std::vector<Fact> facts_of(const RunData& run);

}  // namespace plumb
