#include "core/model/tensor_files.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/error.h"

namespace plumb {
namespace {

constexpr int64_t kPieceElements = int64_t{1} << 20;

at::ScalarType scalar_type(Dtype dtype, const std::string& name) {
  switch (dtype) {
    case Dtype::f64:
      return at::kDouble;
    case Dtype::f32:
      return at::kFloat;
    case Dtype::f16:
      return at::kHalf;
    case Dtype::bf16:
      return at::kBFloat16;
    case Dtype::i64:
      return at::kLong;
    case Dtype::i32:
      return at::kInt;
    case Dtype::i16:
      return at::kShort;
    case Dtype::i8:
      return at::kChar;
    case Dtype::u8:
      return at::kByte;
    case Dtype::boolean:
      return at::kBool;
    default:
      break;
  }
  throw Error("tensor " + name + ": dtype " + std::string(dtype_name(dtype)) +
              " is not one that Plumb reads");
}

Dtype file_dtype(at::ScalarType type, const std::string& name) {
  switch (type) {
    case at::kDouble:
      return Dtype::f64;
    case at::kFloat:
      return Dtype::f32;
    case at::kHalf:
      return Dtype::f16;
    case at::kBFloat16:
      return Dtype::bf16;
    case at::kLong:
      return Dtype::i64;
    case at::kInt:
      return Dtype::i32;
    case at::kByte:
      return Dtype::u8;
    case at::kBool:
      return Dtype::boolean;
    default:
      break;
  }
  throw Error("tensor " + name + ": a dtype that safetensors files cannot hold");
}

at::ScalarType stored_type(const at::Tensor& tensor, SaveDtype dtype) {
  if (tensor.scalar_type() != at::kFloat) return tensor.scalar_type();
  switch (dtype) {
    case SaveDtype::f32:
      return at::kFloat;
    case SaveDtype::bf16:
      return at::kBFloat16;
    case SaveDtype::f16:
      return at::kHalf;
  }
  return at::kFloat;
}

std::string_view bytes_of(const at::Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.const_data_ptr()),
          static_cast<size_t>(contiguous.nbytes())};
}

// Calls visit(first, slice) for slices of `tensor` along its first dimension, `first` elements in,
// each of about kPieceElements, together the whole of it in row-major order.
template <class Visit>
void for_each_slice(const at::Tensor& tensor, const Visit& visit) {
  if (tensor.dim() == 0) return visit(int64_t{0}, tensor);
  const at::Tensor rows = tensor.is_contiguous() ? tensor.view(-1) : tensor;
  if (rows.numel() == 0) return;
  const int64_t row_size = rows.numel() / rows.size(0);
  const int64_t rows_at_once = std::max<int64_t>(1, kPieceElements / row_size);
  for (int64_t row = 0; row < rows.size(0); row += rows_at_once) {
    const int64_t count = std::min(rows_at_once, rows.size(0) - row);
    visit(row * row_size, rows.narrow(0, row, count));
  }
}

// `count` elements of the file's tensor from `first` on.
void read_elements(const SafetensorsFile& file, const TensorEntry& entry, int64_t first,
                   int64_t count, void* destination) {
  const auto size = static_cast<uint64_t>(dtype_size(entry.dtype));
  TensorEntry part = entry;
  part.begin = entry.begin + static_cast<uint64_t>(first) * size;
  part.end = part.begin + static_cast<uint64_t>(count) * size;
  file.read(part, destination);
}

// 16-bit values in the upper half of a f32 buffer become f32 over the whole of it. Front to back, a
// value is read before the place it stands in is written, so no second buffer is needed.
template <class Half>
void widen_in_place(float* values, int64_t count) {
  const auto* bytes = reinterpret_cast<const char*>(values) + count * sizeof(Half);
  for (int64_t i = 0; i < count; ++i) {
    Half half;
    std::memcpy(&half, bytes + i * sizeof(Half), sizeof(Half));
    values[i] = static_cast<float>(half);
  }
}

void read_dense(const SafetensorsFile& file, const TensorEntry& entry, at::ScalarType type,
                const at::Tensor& destination, int64_t first) {
  float* values = destination.mutable_data_ptr<float>();
  const int64_t count = destination.numel();
  if (type == at::kFloat) return read_elements(file, entry, first, count, values);
  read_elements(file, entry, first, count, reinterpret_cast<char*>(values) + count * 2);
  if (type == at::kBFloat16) return widen_in_place<c10::BFloat16>(values, count);
  widen_in_place<c10::Half>(values, count);
}

}  // namespace

at::Tensor read_tensor(const SafetensorsFile& file, const TensorEntry& entry) {
  auto tensor = at::empty(entry.shape, at::TensorOptions(scalar_type(entry.dtype, entry.name)));
  file.read(entry, tensor.mutable_data_ptr());
  return tensor;
}

void read_f32_into(const SafetensorsFile& file, const TensorEntry& entry,
                   const at::Tensor& destination, int64_t first) {
  const auto type = scalar_type(entry.dtype, entry.name);
  if (!at::isFloatingType(type)) {
    throw Error(file.path() + ": tensor " + entry.name + " is " +
                std::string(dtype_name(entry.dtype)) +
                "; weights are read from F64, F32, BF16 or F16. Save it again in one of them");
  }
  if (destination.is_contiguous() && type != at::kDouble) {
    return read_dense(file, entry, type, destination, first);
  }
  for_each_slice(destination, [&](int64_t begin, const at::Tensor& slice) {
    const at::Tensor read = at::empty(slice.sizes(), at::TensorOptions(type));
    read_elements(file, entry, first + begin, read.numel(), read.mutable_data_ptr());
    slice.copy_(read);
  });
}

TensorSource tensor_source(const NamedTensor& named, SaveDtype dtype) {
  return tensor_source(named.name, named.tensor.sizes().vec(), {named.tensor}, dtype);
}

TensorSource tensor_source(const std::string& name, const std::vector<int64_t>& shape,
                           const std::vector<at::Tensor>& pieces, SaveDtype dtype) {
  const auto type = stored_type(pieces.at(0), dtype);
  TensorSource source;
  source.name = name;
  source.dtype = file_dtype(type, name);
  source.shape = shape;
  source.write = [pieces, type](const files::Sink& sink) {
    for (const at::Tensor& piece : pieces) {
      for_each_slice(piece.detach(), [&](int64_t, const at::Tensor& slice) {
        sink(bytes_of(slice.to(type).cpu().contiguous()));
      });
    }
  };
  return source;
}

std::string shape_text(at::IntArrayRef sizes) {
  std::string text = "(";
  for (size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + ")";
}

}  // namespace plumb
