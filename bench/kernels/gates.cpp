#include "bench/kernels/gates.h"

namespace plumb::kernels {
namespace {

// Rows whose kernel begins with `kernel`, whose shape contains `shape` and whose dtype is `dtype`,
// where these are not empty; the first that holds says why.
struct Exception {
  Gate gate;
  const char* kernel;
  const char* shape;
  const char* dtype;
  const char* reason;
};

constexpr const char* kOddRows =
    "rows of an odd width begin within a sector: requests straddle one more each, which the "
    "neighbours take from L1 (bytes_ratio counts what leaves L2)";
constexpr const char* kRagged =
    "sequences begin within a sector: a warp's requests straddle one more (bytes_ratio is of what "
    "leaves L2)";
constexpr const char* kScaleLookups =
    "each block of 64 reads its scale and one value of a 1 KB map: a whole sector for four bytes, "
    "from L1; weights and results move whole sectors";

constexpr Exception kExceptions[] = {
    {Gate::sectors, "gae", "64 x 77", "", kRagged},
    {Gate::sectors, "kl_rewards", "64 x 77", "", kRagged},
    {Gate::sectors, "", "577", "", kOddRows},
    {Gate::sectors, "", "x 77", "", kOddRows},
    {Gate::sectors, "", "x 33", "", kOddRows},
    {Gate::sectors, "", "x 261", "", kOddRows},
    {Gate::sectors, "", "x 18", "", kOddRows},
    {Gate::sectors, "", "x 5003", "", kOddRows},
    {Gate::sectors, "", "heads of 40", "bf16", kOddRows},  // 80 bytes, 2.5 sectors
    {Gate::sectors, "moments", "", "",
     "masked values are not read (bytes lie below the floor by as much); those of their sectors "
     "that are kept move them"},
    {Gate::sectors, "whiten", "", "",
     "masked values are not read (bytes lie below the floor by as much); those of their sectors "
     "that are kept move them"},
    {Gate::sectors, "nf4", "", "", kScaleLookups},
    {Gate::bytes, "nf4_quantise", "", "bf16",
     "scales are written and read again, for their mean must be known before they are quantised: "
     "0.2 of 2.6 bytes a value"},
    {Gate::bytes, "layer_norm_backward +weight", "", "bf16",
     "256 rows of f32 partial sums of two gradients stand for atomics, whose sums have no order: 8 "
     "% of 8192 rows' bytes, less of more"},
    {Gate::conflicts, "sample_tokens top-k", "", "",
     "64-bit histograms of digits: how many keys of a warp meet in a bin is the logits' doing; for "
     "64 "
     "rows of 128256 in bf16 these cycles take 7 us beside 5 us of memory (predicted)"},
    {Gate::conflicts, "adamw8", "", "",
     "32 lanes look up codes that are as good as random: 2.6 cycles of 1; three lookups a state "
     "and "
     "value, whose cycles stay below memory's time (the prediction counts both)"},
};

bool holds_for(const Exception& one, Gate gate, const Row& row) {
  return one.gate == gate && row.kernel.starts_with(one.kernel) &&
         row.shape.find(one.shape) != std::string::npos &&
         (*one.dtype == '\0' || row.dtype == one.dtype);
}

const char* reason_for(Gate gate, const Row& row) {
  for (const Exception& one : kExceptions) {
    if (holds_for(one, gate, row)) {
      return one.reason;
    }
  }
  return nullptr;
}

}  // namespace

const char* gate_name(Gate gate) {
  switch (gate) {
    case Gate::error:
      return "error";
    case Gate::bytes:
      return "bytes";
    case Gate::sectors:
      return "sectors";
    case Gate::conflicts:
      return "conflicts";
    case Gate::spills:
      return "spills";
  }
  return "";
}

std::vector<Gate> missed_gates(const Row& row) {
  std::vector<Gate> missed;
  if (!(row.error_ratio <= 2.0)) {
    missed.push_back(Gate::error);
  }
  if (row.bound == Bound::memory && !(row.bytes_ratio() <= 1.05)) {
    missed.push_back(Gate::bytes);
  }
  if (!(row.sector_efficiency >= 0.95)) {
    missed.push_back(Gate::sectors);
  }
  if (!(row.conflict_factor <= 1.1)) {
    missed.push_back(Gate::conflicts);
  }
  if (row.sm_80.spill_bytes > 0 || row.sm_90.spill_bytes > 0) {
    missed.push_back(Gate::spills);
  }
  return missed;
}

Verdict verdict_of(const Row& row) {
  Verdict verdict{"pass", ""};
  for (const Gate gate : missed_gates(row)) {
    const char* const reason = reason_for(gate, row);
    verdict.text = reason == nullptr || verdict.text == "FAIL" ? "FAIL" : "reason";
    verdict.reason += (verdict.reason.empty() ? "" : "; ") + std::string(gate_name(gate)) + ": " +
                      (reason == nullptr ? "missed" : reason);
  }
  return verdict;
}

}  // namespace plumb::kernels
