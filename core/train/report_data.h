// What a run folder has to tell its report.
#pragma once
#include <string>
#include <vector>

#include "core/io/json.h"
#include "core/train/report_svg.h"

namespace plumb {

struct Sample {
  int64_t step = 0;
  std::string prompt, completion;
  double reward = 0;  // NaN when the row has none
};

struct RunData {
  std::vector<Series> metrics;  // one a name, in order of first appearance
  std::vector<Sample> samples;  // in the order of the file
  Json accounting;              // data.json; null when missing
  std::string recipe;           // recipe.yaml; empty when missing
};

// Reads the files that are there; a malformed one is an error that names file and line. A last line
// without its newline was torn by a kill and is left out.
RunData read_run(const std::string& folder);

const Series* find_series(const RunData& run, const std::string& name);  // null when missing

}  // namespace plumb
