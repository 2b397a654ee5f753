// The one batch form (DESIGN.md 1): sequences laid end to end, no padding anywhere.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace plumb {

struct PackedBatch {
  at::Tensor tokens;                // (N) int64
  at::Tensor positions;             // (N) int64, from 0 in every sequence
  std::vector<int64_t> cu_seqlens;  // (B + 1), on the host: sequence b is rows [cu[b], cu[b + 1])

  // (B) or empty: how many tokens a sequence begins with that a text-to-text model's encoder reads.
  // Models of one stack read all alike.
  std::vector<int64_t> source_lengths = {};

  int64_t num_rows() const { return tokens.size(0); }
  int64_t num_sequences() const { return static_cast<int64_t>(cu_seqlens.size()) - 1; }
};

// Lays sequences end to end. Empty sequences are refused: they have no position to predict from.
PackedBatch pack(const std::vector<std::vector<int32_t>>& sequences,
                 const std::vector<int64_t>& source_lengths = {});

// The batch `copies` times over, rows concatenated: several roles read the same tokens in one pass
// through the base weights (DESIGN.md 3).
PackedBatch repeat(const PackedBatch& batch, int64_t copies);

}  // namespace plumb
