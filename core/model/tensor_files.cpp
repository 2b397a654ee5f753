#include "core/model/tensor_files.h"

#include <algorithm>
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

}  // namespace

at::Tensor read_tensor(const SafetensorsFile& file, const TensorEntry& entry) {
  auto tensor = at::empty(entry.shape, at::TensorOptions(scalar_type(entry.dtype, entry.name)));
  file.read(entry, tensor.mutable_data_ptr());
  return tensor;
}

void read_f32_into(const SafetensorsFile& file, const TensorEntry& entry,
                   const at::Tensor& destination) {
  const auto type = scalar_type(entry.dtype, entry.name);
  if (!at::isFloatingType(type)) {
    throw Error(file.path() + ": tensor " + entry.name +
                ": weights must be F64, F32, BF16 or F16, got " +
                std::string(dtype_name(entry.dtype)));
  }
  if (type == at::kFloat) {
    file.read(entry, destination.mutable_data_ptr());
    return;
  }
  // The file's bytes piece by piece, so that a model never stands in memory twice.
  const auto flat = destination.view(-1);
  const auto element = static_cast<uint64_t>(at::elementSize(type));
  for (int64_t at = 0; at < flat.numel(); at += kPieceElements) {
    const int64_t count = std::min(kPieceElements, flat.numel() - at);
    auto piece = at::empty({count}, at::TensorOptions(type));
    TensorEntry part = entry;
    part.begin = entry.begin + static_cast<uint64_t>(at) * element;
    part.end = part.begin + static_cast<uint64_t>(count) * element;
    file.read(part, piece.mutable_data_ptr());
    flat.narrow(0, at, count).copy_(piece);
  }
}

TensorSource tensor_source(const NamedTensor& named, SaveDtype dtype) {
  const auto tensor = named.tensor.detach().contiguous();
  const auto type = stored_type(tensor, dtype);
  TensorSource source;
  source.name = named.name;
  source.dtype = file_dtype(type, named.name);
  source.shape = tensor.sizes().vec();
  source.write = [tensor, type](const files::Sink& sink) {
    if (type == tensor.scalar_type()) return sink(bytes_of(tensor));
    const auto flat = tensor.view(-1);
    for (int64_t at = 0; at < flat.numel(); at += kPieceElements) {
      const int64_t count = std::min(kPieceElements, flat.numel() - at);
      sink(bytes_of(flat.narrow(0, at, count).to(type)));
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
