#include "core/gguf/tensor_write.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/gguf/tensor_rows.h"

namespace plumb {
namespace {

std::string source_name(const PlannedTensor& tensor) {
  return tensor.from.entry == nullptr ? "" : " (" + tensor.from.entry->name + " in the model)";
}

void check_range(const PlannedTensor& tensor, const std::vector<float>& values) {
  const float largest = ggml_largest(tensor.type);
  for (const float value : values) {
    if (std::fabs(value) <= largest) continue;
    const std::string what = std::isfinite(value)
                                 ? "holds " + std::to_string(value) + ", beyond what "
                                 : std::string("holds a value that is not finite, which ");
    throw Error("tensor '" + tensor.name + "'" + source_name(tensor) + " " + what +
                std::string(ggml_type_name(tensor.type)) + " cannot keep" +
                (std::isfinite(value) ? ": export as bf16 or f32" : ": the model is damaged"));
  }
}

void stream(const PlannedTensor& tensor, const files::Sink& sink) {
  const TensorRows rows(tensor);
  std::vector<float> values;
  std::string bytes;
  const std::int64_t step = rows_at_once(tensor.width());
  for (std::int64_t first = 0; first < tensor.rows(); first += step) {
    const std::int64_t count = std::min(step, tensor.rows() - first);
    values.resize(count * tensor.width());
    rows.read(first, count, values.data());
    check_range(tensor, values);
    bytes.clear();
    ggml_encode(tensor.type, values, bytes);
    sink(bytes);
  }
}

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw Error(path + ": reopened, " + problem + "; the export is not to be used", Exit::failed);
}

void compare_rows(const std::string& where, GgmlType type, const std::vector<float>& wanted,
                  const std::vector<float>& found) {
  const auto block = static_cast<std::size_t>(ggml_block_values(type));
  for (std::size_t begin = 0; begin < wanted.size(); begin += block) {
    double largest = 0;
    for (std::size_t i = begin; i < begin + block; ++i) {
      largest = std::max<double>(largest, std::fabs(wanted[i]));
    }
    for (std::size_t i = begin; i < begin + block; ++i) {
      const double difference = std::fabs(static_cast<double>(wanted[i]) - found[i]);
      if (difference <= ggml_error_bound(type, wanted[i], largest)) continue;
      fail(where, "it holds " + std::to_string(found[i]) + " where the model has " +
                      std::to_string(wanted[i]));
    }
  }
}

void verify_tensor(const GgufFile& file, const PlannedTensor& planned) {
  const GgufTensor* tensor = file.find(planned.name);
  if (tensor == nullptr) fail(file.path(), "it lacks tensor '" + planned.name + "'");
  const std::string where = file.path() + ": tensor '" + planned.name + "'";
  if (tensor->type != planned.type || tensor->shape != planned.shape) {
    fail(where, "type or shape are not what was written");
  }
  const TensorRows rows(planned);
  std::vector<float> wanted, found;
  const std::int64_t step = rows_at_once(planned.width());
  for (std::int64_t first = 0; first < planned.rows(); first += step) {
    const std::int64_t count = std::min(step, planned.rows() - first);
    wanted.resize(count * planned.width());
    found.resize(wanted.size());
    rows.read(first, count, wanted.data());
    file.read_rows(*tensor, first, count, found.data());
    compare_rows(where, planned.type, wanted, found);
  }
}

}  // namespace

std::vector<GgufSource> gguf_sources(const std::vector<PlannedTensor>& plan) {
  std::vector<GgufSource> sources;
  for (const PlannedTensor& tensor : plan) {
    sources.push_back({tensor.name, tensor.type, tensor.shape,
                       [&tensor](const files::Sink& sink) { stream(tensor, sink); }});
  }
  return sources;
}

void verify_gguf(const std::string& path, const GgufMetadata& metadata,
                 const std::vector<PlannedTensor>& plan) {
  const GgufFile file = GgufFile::open(path);
  if (file.metadata() != metadata) fail(path, "its metadata is not what was written");
  if (file.tensors().size() != plan.size()) fail(path, "it holds another number of tensors");
  for (const PlannedTensor& tensor : plan) verify_tensor(file, tensor);
}

}  // namespace plumb
