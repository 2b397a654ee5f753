// The values of a planned tensor, row by row, from the model's files in f32.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/gguf/tensor_plan.h"
#include "core/io/model_files.h"

namespace plumb {

class TensorRows {
 public:
  explicit TensorRows(const PlannedTensor& tensor);  // which must outlive it

  // Rows [first, first + count), each of tensor.width() values, to `destination`.
  void read(std::int64_t first, std::int64_t count, float* destination) const;

 private:
  void read_file(std::int64_t element, std::int64_t count, float* destination) const;
  void load_transposed();

  const PlannedTensor& tensor_;
  std::vector<float> whole_;  // of a vector, or a transposed matrix: in the tensor's own order
};

// Rows to be read at once so that about 1 M values are in memory.
std::int64_t rows_at_once(std::int64_t width);

// Whether two tensors of the files hold the same bytes.
bool same_content(const ShardedModelFiles& files, const std::string& a, const std::string& b);

}  // namespace plumb
