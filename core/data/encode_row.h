// One RawRow on its way to samples: the work of one thread, with no throw across it.
#pragma once
#include <cstdint>
#include <exception>
#include <vector>

#include "core/data/encode_record.h"
#include "core/data/raw_rows.h"

namespace plumb {

struct RowWork {
  RawRow raw;
  std::int64_t row = 0;  // its number in the source
  bool is_first_piece = true;
  EncodedRow encoded;                // a sample, or why there is none
  std::vector<std::int32_t> tokens;  // SampleKind::text: of this piece of a document
  std::exception_ptr error;          // what stops the pass whatever skip_bad says
};

void encode_row(RowWork& work, RawKind kind, const EncodePlan& plan);

// A JSON row parsed, or RowError with reason "malformed JSON" or "unreadable".
Json parse_row(const RawRow& raw);

// encode_row for each, by `threads` threads.
void encode_rows(std::vector<RowWork>& works, RawKind kind, const EncodePlan& plan, int threads);

}  // namespace plumb
