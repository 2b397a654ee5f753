#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "core/io/json.h"
#include "core/io/json_quoted.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_checks.h"

namespace plumb {

static_assert(std::endian::native == std::endian::little, "tensor files are little-endian");

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxName = 1024;

bool looks_like_pickle(std::string_view bytes) {
  return bytes.substr(0, 4) == "PK\x03\x04" || bytes.substr(0, 1) == "\x80";
}

std::uint64_t header_length(std::string_view bytes, std::uint64_t file_size,
                            const std::string& source) {
  if (file_size < kLengthBytes || bytes.size() < kLengthBytes) {
    throw Error(source + ": " + std::to_string(file_size) +
                " bytes; a safetensors file has at least 8: it is empty or was cut short");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  const bool is_possible =
      length >= 2 && length <= kMaxSafetensorsHeader && length <= file_size - kLengthBytes;
  if (is_possible) return length;
  if (looks_like_pickle(bytes)) {
    throw Error(source +
                ": holds a PyTorch pickle, not safetensors; pickles can run code and are "
                "not read: convert the model to safetensors");
  }
  throw Error(source + ": byte 0: header length " + std::to_string(length) +
              " is not between 2 and " +
              std::to_string(std::min(kMaxSafetensorsHeader, file_size - kLengthBytes)) +
              ": not a safetensors file, or it was cut short");
}

Json parse_header_json(std::string_view header, const std::string& source) {
  if (header[0] != '{') {
    throw Error(source + ": byte 8: the header must begin with '{'");
  }
  const std::size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') {
    throw Error(source + ": byte " + std::to_string(kLengthBytes + last) +
                ": the header must end with '}' and spaces");
  }
  constexpr int kHeaderDepth = 4;
  return parse_json(header, source + ": header (from byte 8 on)",
                    {.max_bytes = kMaxSafetensorsHeader, .max_depth = kHeaderDepth});
}

// One tensor of the header, with what errors need.
struct TensorJson {
  const std::string& source;
  const std::string& name;
  const Json& fields;

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(source + ": tensor '" + name + "': " + problem);
  }
  const Json& field(const char* key) const {
    const auto found = fields.find(key);
    if (found == fields.end()) fail(std::string("lacks '") + key + "'");
    return *found;
  }
};

Dtype parse_dtype(const TensorJson& tensor) {
  const Json& value = tensor.field("dtype");
  if (!value.is_string()) tensor.fail("dtype must be a string, not " + value.dump());
  const auto dtype = dtype_of(value.get_ref<const std::string&>());
  if (dtype) return *dtype;
  tensor.fail("dtype " + value.dump() +
              " is not supported (F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL are)");
}

std::vector<std::int64_t> parse_shape(const TensorJson& tensor) {
  const Json& value = tensor.field("shape");
  if (!value.is_array()) tensor.fail("shape must be a list");
  if (value.size() > kMaxRank) {
    tensor.fail("has " + std::to_string(value.size()) + " dimensions; at most 8 are read");
  }
  std::vector<std::int64_t> shape;
  for (const Json& extent : value) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
      tensor.fail("shape " + value.dump() + " must hold whole numbers from 0 to 2^63-1");
    }
    shape.push_back(extent.get<std::int64_t>());
  }
  return shape;
}

// Sets begin and end, relative to the first byte of data.
void parse_offsets(const TensorJson& tensor, TensorEntry& entry) {
  const Json& value = tensor.field("data_offsets");
  const bool is_pair = value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
                       value[1].is_number_unsigned();
  if (!is_pair) tensor.fail("data_offsets must be two whole numbers, not " + value.dump());
  entry.begin = value[0].get<std::uint64_t>();
  entry.end = value[1].get<std::uint64_t>();
  if (entry.begin > entry.end) tensor.fail("data_offsets " + value.dump() + " run backwards");
}

TensorEntry parse_tensor(const TensorJson& tensor) {
  if (!tensor.fields.is_object()) tensor.fail("must be a map of dtype, shape and data_offsets");
  constexpr std::size_t kFields = 3;
  TensorEntry entry;
  entry.name = tensor.name;
  entry.dtype = parse_dtype(tensor);
  entry.shape = parse_shape(tensor);
  parse_offsets(tensor, entry);
  if (tensor.fields.size() != kFields) {
    tensor.fail("has fields beside dtype, shape and data_offsets: " + tensor.fields.dump());
  }
  const auto expected = checked_bytes(entry.dtype, entry.shape);
  if (!expected) tensor.fail("shape " + tensor.field("shape").dump() + " overflows 64 bits");
  if (*expected != entry.bytes()) {
    tensor.fail("shape and dtype need " + std::to_string(*expected) + " bytes, data_offsets " +
                tensor.field("data_offsets").dump() + " give " + std::to_string(entry.bytes()));
  }
  return entry;
}

TensorMetadata parse_metadata(const Json& value, const std::string& source) {
  if (!value.is_object()) throw Error(source + ": __metadata__ must be a map of strings");
  TensorMetadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      throw Error(source + ": __metadata__ '" + key + "' must be a string, not " + text.dump());
    }
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

// The tensors must cover the data exactly; `data_begin` is where it starts in the file.
void check_layout(const std::vector<TensorEntry>& tensors, std::uint64_t data_begin,
                  std::uint64_t file_size, const std::string& source) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& entry : tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t reached = 0;
  for (const TensorEntry* entry : order) {
    if (entry->begin != reached) {
      const char* problem =
          entry->begin < reached ? "overlaps the tensor before it" : "leaves a hole before it";
      throw Error(source + ": byte " + std::to_string(data_begin + reached) + ": tensor '" +
                  entry->name + "' " + problem + " (data_offsets begin at " +
                  std::to_string(entry->begin) + ", expected " + std::to_string(reached) + ")");
    }
    reached = entry->end;
  }
  const std::uint64_t data = file_size - data_begin;
  if (reached == data) return;
  const std::string last = order.empty() ? "" : ", last tensor '" + order.back()->name + "'";
  throw Error(source + ": the header describes " + std::to_string(reached) +
              " bytes of tensors from byte " + std::to_string(data_begin) + " on, the file holds " +
              std::to_string(data) + last +
              (reached > data ? ": it was cut short" : ": bytes follow that belong to no tensor"));
}

}  // namespace

std::string tensor_name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxName) return "is longer than 1024 bytes";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return "holds a control character";
    if (c == '/' || c == '\\') return "holds a path separator";
  }
  return "";
}

std::optional<std::uint64_t> checked_bytes(Dtype dtype, const std::vector<std::int64_t>& shape) {
  // A dimension of 0 must not hide that the others overflow: loops over them use their product.
  std::int64_t product = static_cast<std::int64_t>(dtype_size(dtype));
  bool is_empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    is_empty = is_empty || extent == 0;
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product)) {
      return std::nullopt;
    }
  }
  return is_empty ? 0 : static_cast<std::uint64_t>(product);
}

SafetensorsHeader parse_safetensors_header(std::string_view bytes, std::uint64_t file_size,
                                           const std::string& source) {
  const std::uint64_t length = header_length(bytes, file_size, source);
  if (bytes.size() < kLengthBytes + length) {
    throw Error(source + ": ends within its header of " + std::to_string(length) + " bytes");
  }
  const Json json = parse_header_json(bytes.substr(kLengthBytes, length), source);
  const std::uint64_t data_begin = kLengthBytes + length;
  SafetensorsHeader header;
  for (const auto& [name, fields] : json.items()) {
    if (name == "__metadata__") {
      header.metadata = parse_metadata(fields, source);
      continue;
    }
    const std::string problem = tensor_name_problem(name);
    if (!problem.empty()) {
      throw Error(source + ": tensor name " + json_quoted(name) + " " + problem);
    }
    header.tensors.push_back(parse_tensor({source, name, fields}));
  }
  check_layout(header.tensors, data_begin, file_size, source);
  for (TensorEntry& entry : header.tensors) {
    entry.begin += data_begin;
    entry.end += data_begin;
  }
  return header;
}

}  // namespace plumb
