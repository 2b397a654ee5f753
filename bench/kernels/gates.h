// What a kernel must meet (issue: gates in CI), and the rows that may miss a gate, with the reason.
#pragma once
#include <string>
#include <vector>

#include "bench/kernels/measure.h"

namespace plumb::kernels {

enum class Gate { error, bytes, sectors, conflicts, spills };
const char* gate_name(Gate gate);

// Errors at most twice ATen's; memory-bound kernels at most 1.05 times their floor; at least 95 %
// of each sector used; shared memory at most 1.1 times its least cycles; nothing spilled.
std::vector<Gate> missed_gates(const Row& row);

struct Verdict {
  std::string text;    // "pass", "reason" or "FAIL"
  std::string reason;  // of each gate that is missed
};
Verdict verdict_of(const Row& row);

}  // namespace plumb::kernels
