#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/io/json.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_checks.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

void check_sources(const std::vector<TensorSource>& tensors, const std::string& path) {
  std::unordered_set<std::string> seen;
  for (const TensorSource& tensor : tensors) {
    const bool is_text = find_invalid_utf8(tensor.name) == std::string_view::npos;
    const std::string problem =
        is_text ? tensor_name_problem(tensor.name) : std::string("is not UTF-8");
    if (!problem.empty()) throw Error(path + ": tensor name '" + tensor.name + "' " + problem);
    if (tensor.name == "__metadata__") throw Error(path + ": a tensor named __metadata__");
    if (!seen.insert(tensor.name).second) {
      throw Error(path + ": tensor '" + tensor.name + "' is given twice");
    }
  }
}

std::vector<const TensorSource*> wider_first(const std::vector<TensorSource>& tensors) {
  std::vector<const TensorSource*> order;
  for (const TensorSource& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const TensorSource* a, const TensorSource* b) {
    return dtype_size(a->dtype) > dtype_size(b->dtype);
  });
  return order;
}

// Written piece by piece: ordered_json looks through all keys on each insertion.
std::string header_of(const std::vector<const TensorSource*>& tensors,
                      const TensorMetadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) text += "\"__metadata__\":" + Json(metadata).dump();
  std::uint64_t offset = 0;
  for (const TensorSource* tensor : tensors) {
    const std::uint64_t end = offset + tensor_bytes(*tensor);
    text += (text.size() > 1 ? "," : "") + Json(tensor->name).dump() + ":{\"dtype\":\"" +
            std::string(dtype_name(tensor->dtype)) + "\",\"shape\":" + Json(tensor->shape).dump() +
            ",\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  text += "}";
  constexpr std::size_t kAlignment = 8;  // of the data, as the reference writes it
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  return text;
}

void write_tensor(const TensorSource& tensor, const files::Sink& sink, const std::string& path) {
  std::uint64_t written = 0;
  tensor.write([&](std::string_view bytes) {
    written += bytes.size();
    sink(bytes);
  });
  if (written != tensor_bytes(tensor)) {
    throw Error(path + ": tensor '" + tensor.name + "' gave " + std::to_string(written) +
                " bytes where its shape needs " + std::to_string(tensor_bytes(tensor)));
  }
}

}  // namespace

TensorSource tensor_in_memory(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                              const void* data) {
  TensorSource tensor{std::move(name), dtype, std::move(shape), {}};
  const std::string_view bytes(static_cast<const char*>(data), tensor_bytes(tensor));
  tensor.write = [bytes](const files::Sink& sink) { sink(bytes); };
  return tensor;
}

std::uint64_t tensor_bytes(const TensorSource& tensor) {
  const auto bytes = checked_bytes(tensor.dtype, tensor.shape);
  if (bytes) return *bytes;
  throw Error("tensor '" + tensor.name + "': shape " + Json(tensor.shape).dump() +
              " is negative or overflows 64 bits");
}

void write_safetensors(const std::string& path, const std::vector<TensorSource>& tensors,
                       const TensorMetadata& metadata) {
  check_sources(tensors, path);
  const std::vector<const TensorSource*> order = wider_first(tensors);
  const std::string header = header_of(order, metadata);
  if (header.size() > kMaxSafetensorsHeader) {
    throw Error(path + ": a header of " + std::to_string(header.size()) +
                " bytes; the format allows 100000000: write fewer tensors a file");
  }
  files::publish(path, [&](const files::Sink& sink) {
    const std::uint64_t length = header.size();
    sink({reinterpret_cast<const char*>(&length), sizeof(length)});
    sink(header);
    for (const TensorSource* tensor : order) write_tensor(*tensor, sink, path);
  });
}

}  // namespace plumb
