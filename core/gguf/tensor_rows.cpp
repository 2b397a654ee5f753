#include "core/gguf/tensor_rows.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/io/ggml_types.h"

namespace plumb {
namespace {

constexpr std::int64_t kValuesAtOnce = std::int64_t{1} << 20;

template <class From, class Convert>
void convert(const std::string& bytes, std::int64_t count, float* destination, Convert to_float) {
  for (std::int64_t i = 0; i < count; ++i) {
    From value{};
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    destination[i] = to_float(value);
  }
}

// Part of a tensor: `count` elements from `first` on.
TensorEntry part_of(const TensorEntry& entry, std::int64_t first, std::int64_t count) {
  TensorEntry part = entry;
  const auto size = static_cast<std::uint64_t>(dtype_size(entry.dtype));
  part.begin = entry.begin + first * size;
  part.end = part.begin + count * size;
  return part;
}

}  // namespace

TensorRows::TensorRows(const PlannedTensor& tensor) : tensor_(tensor) {
  if (tensor.from.entry == nullptr) {
    whole_ = tensor.values;
    return;
  }
  if (tensor.is_transposed) {
    load_transposed();
  } else if (tensor.shape.size() == 1) {
    std::vector<float> in_file(tensor.width());
    read_file(0, tensor.width(), in_file.data());
    whole_ = in_file;
    for (std::size_t i = 0; i < tensor.file_row.size(); ++i) {
      whole_[i] = in_file[tensor.file_row[i]];
    }
  }
}

void TensorRows::load_transposed() {
  const std::int64_t rows = tensor_.rows(), width = tensor_.width();
  whole_.resize(rows * width);
  std::vector<float> column(rows);
  for (std::int64_t c = 0; c < width; ++c) {
    read_file(c * rows, rows, column.data());
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t from = tensor_.file_row.empty() ? r : tensor_.file_row[r];
      whole_[r * width + c] = column[from];
    }
  }
}

void TensorRows::read_file(std::int64_t element, std::int64_t count, float* destination) const {
  const TensorEntry part = part_of(*tensor_.from.entry, element, count);
  if (part.dtype == Dtype::f32) return tensor_.from.file->read(part, destination);
  std::string bytes(part.bytes(), '\0');
  tensor_.from.file->read(part, bytes.data());
  switch (part.dtype) {
    case Dtype::f16:
      return convert<std::uint16_t>(bytes, count, destination, from_half);
    case Dtype::bf16:
      return convert<std::uint16_t>(bytes, count, destination, from_bfloat16);
    case Dtype::f64:
      return convert<double>(bytes, count, destination,
                             [](double value) { return static_cast<float>(value); });
    default:
      throw Error(tensor_.from.file->path() + ": tensor '" + tensor_.from.entry->name +
                  "': weights must be F64, F32, F16 or BF16, got " +
                  std::string(dtype_name(part.dtype)));
  }
}

void TensorRows::read(std::int64_t first, std::int64_t count, float* destination) const {
  const std::int64_t width = tensor_.width();
  if (!whole_.empty()) {
    std::copy_n(whole_.data() + first * width, count * width, destination);
  } else if (tensor_.file_row.empty()) {
    read_file(first * width, count * width, destination);
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      read_file(tensor_.file_row[first + i] * width, width, destination + i * width);
    }
  }
  if (tensor_.added == 0 && tensor_.factor == 1) return;
  for (std::int64_t i = 0; i < count * width; ++i) {
    destination[i] = destination[i] * tensor_.factor + tensor_.added;
  }
}

std::int64_t rows_at_once(std::int64_t width) {
  return std::max<std::int64_t>(1, kValuesAtOnce / std::max<std::int64_t>(1, width));
}

bool same_content(const ShardedModelFiles& files, const std::string& a, const std::string& b) {
  const auto first = files.find(a), second = files.find(b);
  if (!first || !second || first->entry->shape != second->entry->shape ||
      first->entry->dtype != second->entry->dtype) {
    return false;
  }
  const auto elements =
      static_cast<std::int64_t>(first->entry->bytes() / dtype_size(first->entry->dtype));
  std::string left, right;
  for (std::int64_t at = 0; at < elements; at += kValuesAtOnce) {
    const std::int64_t count = std::min(kValuesAtOnce, elements - at);
    const TensorEntry left_part = part_of(*first->entry, at, count);
    const TensorEntry right_part = part_of(*second->entry, at, count);
    left.resize(left_part.bytes());
    right.resize(right_part.bytes());
    first->file->read(left_part, left.data());
    second->file->read(right_part, right.data());
    if (left != right) return false;
  }
  return true;
}

}  // namespace plumb
