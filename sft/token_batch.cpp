#include "sft/token_batch.h"

#include <algorithm>

namespace plumb {
namespace {

at::Tensor int64_tensor(const std::vector<int64_t>& values) {
  auto tensor = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), tensor.data_ptr<int64_t>());
  return tensor;
}

}  // namespace

namespace {

// What stands before the first trained token: of a text-to-text model the encoder's.
int64_t source_length(const Sequence& sequence) {
  for (const Span& span : sequence.spans) {
    if (span.is_trained) return span.begin;
  }
  return static_cast<int64_t>(sequence.tokens.size());
}

}  // namespace

TokenBatch make_token_batch(const std::vector<Sample>& samples) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> sources;
  std::vector<int64_t> rows;
  std::vector<int64_t> targets;
  int64_t first_row = 0;
  for (const Sample& sample : samples) {
    const Sequence& sequence = sample.only();
    for (const Span& span : sequence.spans) {
      if (!span.is_trained) continue;
      for (int64_t t = std::max<int64_t>(span.begin, 1); t < span.end; ++t) {
        rows.push_back(first_row + t - 1);
        targets.push_back(sequence.tokens[t]);
      }
    }
    sources.push_back(source_length(sequence));
    first_row += static_cast<int64_t>(sequence.tokens.size());
    sequences.push_back(sequence.tokens);
  }
  return {pack(sequences, sources), int64_tensor(rows), int64_tensor(targets)};
}

}  // namespace plumb
