// How a kernel that keeps a row in registers spreads rows over threads. Host code, shared by the
// norms and their tests.
#pragma once
#include <cstdint>
#include <string>

#include "core/error.h"

namespace plumb {

inline constexpr int kMostRowThreads = 512;
// Values of a row that a thread may keep without spilling; fewer where it also keeps their sums.
inline constexpr int kRowValues = 32, kSummedRowValues = 16;

// threads_a_row is a multiple of a warp; with one warp a row a block takes several rows.
struct RowPlan {
  int pack = 1;   // values a thread moves at a time
  int packs = 1;  // of a thread: 1, 2, 4 or 8 of 16 bytes; 4 or 16 of one value
  int threads_a_row = 32;
  int rows_a_block = 1;
};

// Prefers one warp a row, then blocks of up to 256 threads, then of up to kMostRowThreads. Throws
// Error for rows wider than kMostRowThreads * values (half of it where rows are not whole packs).
inline RowPlan row_plan(int64_t width, int pack, int values, const char* op) {
  constexpr int kWarp = 32, kRowsOfWarps = 4, kPreferred = 256;
  const int most_packs = pack == 1 ? 16 : values / pack;
  for (const int most : {kWarp, kPreferred, kMostRowThreads}) {
    for (int packs = pack == 1 ? 4 : 1; packs <= most_packs; packs *= pack == 1 ? 4 : 2) {
      const int64_t threads = (width + pack * packs * kWarp - 1) / (pack * packs * kWarp) * kWarp;
      if (width > 0 && threads <= most && (packs <= 4 || most == kMostRowThreads)) {
        return {pack, packs, static_cast<int>(threads), most == kWarp ? kRowsOfWarps : 1};
      }
    }
  }
  throw Error(std::string(op) + ": rows of " + std::to_string(width) +
              " values; the kernel takes 1 to " +
              std::to_string(kMostRowThreads * pack * most_packs));
}

// Rows of partial sums that a norm's gradients of weights go through: depends on `rows` alone, so
// that the gradients have the same bits on every device.
inline int64_t norm_partials(int64_t rows) {
  constexpr int64_t kMost = 256;
  return rows < kMost ? rows : kMost;
}

// Rows in order, `chunk` to a group; the last one may have fewer.
struct RowGroups {
  int64_t chunk = 1;
  int64_t groups = 0;
};
// At most `most` groups, none of them empty. rows > 0.
inline RowGroups row_groups(int64_t rows, int64_t most) {
  const int64_t chunk = (rows + most - 1) / most;
  return {chunk, (rows + chunk - 1) / chunk};
}

}  // namespace plumb
