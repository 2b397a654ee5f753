#include "core/model/packed_batch.h"

#include <string>

#include "core/error.h"

namespace plumb {

PackedBatch pack(const std::vector<std::vector<int32_t>>& sequences,
                 const std::vector<int64_t>& source_lengths) {
  PackedBatch batch;
  batch.source_lengths = source_lengths;
  batch.cu_seqlens.push_back(0);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    if (sequences[b].empty()) {
      throw Error("pack: sequence " + std::to_string(b) +
                  " is empty; a sequence needs at least one token");
    }
    batch.cu_seqlens.push_back(batch.cu_seqlens.back() + static_cast<int64_t>(sequences[b].size()));
  }
  const int64_t rows = batch.cu_seqlens.back();
  batch.tokens = at::empty({rows}, at::kLong);
  batch.positions = at::empty({rows}, at::kLong);
  int64_t* token = batch.tokens.mutable_data_ptr<int64_t>();
  int64_t* position = batch.positions.mutable_data_ptr<int64_t>();
  for (const auto& sequence : sequences) {
    for (std::size_t t = 0; t < sequence.size(); ++t) {
      *token++ = sequence[t];
      *position++ = static_cast<int64_t>(t);
    }
  }
  return batch;
}

PackedBatch repeat(const PackedBatch& batch, int64_t copies) {
  if (copies < 1) {
    throw Error("repeat: copies must be at least 1, got " + std::to_string(copies), Exit::failed);
  }
  PackedBatch result{batch.tokens.repeat({copies}), batch.positions.repeat({copies}), {0}, {}};
  for (int64_t copy = 0; copy < copies; ++copy) {
    const int64_t first_row = copy * batch.num_rows();
    for (std::size_t b = 1; b < batch.cu_seqlens.size(); ++b) {
      result.cu_seqlens.push_back(first_row + batch.cu_seqlens[b]);
    }
    result.source_lengths.insert(result.source_lengths.end(), batch.source_lengths.begin(),
                                 batch.source_lengths.end());
  }
  return result;
}

}  // namespace plumb
