// The gates of a kernel (docs/kernels.md): no defect, the bytes its floor allows, whole sectors, no
// bank conflicts.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>

#include "tests/simt/run.h"

namespace plumb::simt {

inline void expect_clean(const Outcome& outcome) {
  EXPECT_TRUE(outcome.clean()) << outcome.text();
}

// `floor`: bytes that must be read and written, in all launches of the outcome.
inline void expect_streaming(const Outcome& outcome, int64_t floor) {
  expect_clean(outcome);
  const Traffic traffic = outcome.traffic();
  EXPECT_LE(static_cast<double>(traffic.unique_bytes()), 1.05 * static_cast<double>(floor));
  EXPECT_GE(traffic.sector_efficiency(), 0.95);
  EXPECT_LE(traffic.conflict_factor(), 1.1);
}

}  // namespace plumb::simt
