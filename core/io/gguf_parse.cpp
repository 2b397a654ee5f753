#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "core/error.h"
#include "core/io/gguf_layout.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

// The bytes of a header, in order, through a window: a value costs no read of its own.
class Cursor {
 public:
  Cursor(const ReadBytes& read, std::uint64_t file_size, const std::string& source,
         const GgufLimits& limits)
      : read_(read), source_(source), end_(std::min(file_size, limits.max_header_bytes)) {}

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(source_ + ": byte " + std::to_string(at_) + ": " + problem);
  }

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return end_ - at_; }

  void copy(void* destination, std::uint64_t count) {
    if (count > left()) {
      fail("needs " + std::to_string(count) + " bytes, " + std::to_string(left()) +
           " are left of the header: the file was cut short, or is no GGUF file");
    }
    auto* out = static_cast<char*>(destination);
    while (count > 0) {
      if (at_ < window_at_ || at_ >= window_at_ + window_.size()) fill();
      const std::uint64_t offset = at_ - window_at_;
      const std::uint64_t take = std::min<std::uint64_t>(count, window_.size() - offset);
      std::memcpy(out, window_.data() + offset, take);
      out += take;
      at_ += take;
      count -= take;
    }
  }

  template <class T>
  T number() {
    T value{};
    copy(&value, sizeof(value));
    return value;
  }

  std::string string() {
    const auto length = number<std::uint64_t>();
    if (length > left()) {
      fail("a string of " + std::to_string(length) + " bytes, where " + std::to_string(left()) +
           " are left");
    }
    std::string text(length, '\0');
    copy(text.data(), length);
    return text;
  }

 private:
  void fill() {
    constexpr std::uint64_t kWindow = 1 << 16;
    window_.resize(std::min(kWindow, end_ - at_));
    read_(at_, window_.data(), window_.size());
    window_at_ = at_;
  }

  const ReadBytes& read_;
  const std::string& source_;
  std::uint64_t end_;
  std::uint64_t at_ = 0;
  std::uint64_t window_at_ = 0;
  std::string window_;
};

template <class T>
T read_one(Cursor& cursor) {
  if constexpr (std::is_same_v<T, std::string>) {
    return cursor.string();
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto byte = cursor.number<std::uint8_t>();
    if (byte > 1) cursor.fail("a boolean of " + std::to_string(byte));
    return byte == 1;
  } else {
    return cursor.number<T>();
  }
}

template <class T>
std::vector<T> read_many(Cursor& cursor, std::uint64_t count) {
  constexpr std::uint64_t kSmallest = std::is_same_v<T, std::string> ? 8 : sizeof(T);
  if (count > cursor.left() / kSmallest) {
    cursor.fail("an array of " + std::to_string(count) + " values, where " +
                std::to_string(cursor.left()) + " bytes are left");
  }
  std::vector<T> values(count);
  if constexpr (std::is_same_v<T, std::string>) {
    for (T& value : values) value = cursor.string();
  } else {
    cursor.copy(values.data(), count * sizeof(T));
  }
  return values;
}

GgufValue read_array(Cursor& cursor) {
  const auto type = cursor.number<std::uint32_t>();
  const auto count = cursor.number<std::uint64_t>();
  if (type == gguf::type_number<std::uint8_t>()) return read_many<std::uint8_t>(cursor, count);
  if (type == gguf::type_number<std::uint32_t>()) return read_many<std::uint32_t>(cursor, count);
  if (type == gguf::type_number<std::int32_t>()) return read_many<std::int32_t>(cursor, count);
  if (type == gguf::type_number<float>()) return read_many<float>(cursor, count);
  if (type == gguf::type_number<std::string>()) return read_many<std::string>(cursor, count);
  cursor.fail("an array of type " + std::to_string(type) +
              "; those of u8, u32, i32, f32 and strings are read");
}

// The first alternative of GgufValue whose number is `type`.
template <class T, class... Rest>
GgufValue read_scalar(Cursor& cursor, std::uint32_t type) {
  if (type == gguf::type_number<T>()) return read_one<T>(cursor);
  if constexpr (sizeof...(Rest) > 0) {
    return read_scalar<Rest...>(cursor, type);
  } else {
    cursor.fail("value type " + std::to_string(type) + " is none of the format's");
  }
}

GgufValue read_value(Cursor& cursor) {
  const auto type = cursor.number<std::uint32_t>();
  if (type == gguf::kArray) return read_array(cursor);
  return read_scalar<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
                     std::int32_t, float, bool, std::string, std::uint64_t, std::int64_t, double>(
      cursor, type);
}

GgufMetadata read_metadata(Cursor& cursor, std::uint64_t count) {
  GgufMetadata metadata;
  std::unordered_set<std::string> seen;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = cursor.string();
    if (key.empty() || key.size() > gguf::kMaxKey || find_invalid_utf8(key) != key.npos) {
      cursor.fail("metadata key " + std::to_string(i) + " must be 1 to 65535 bytes of UTF-8");
    }
    if (!seen.insert(key).second) cursor.fail("metadata key '" + key + "' stands twice");
    GgufValue value = read_value(cursor);
    metadata.emplace_back(std::move(key), std::move(value));
  }
  return metadata;
}

// One line of the table; begin and end are still relative to the data.
GgufTensor read_tensor(Cursor& cursor) {
  GgufTensor tensor;
  tensor.name = cursor.string();
  if (tensor.name.empty() || tensor.name.size() > kMaxGgufName ||
      find_invalid_utf8(tensor.name) != tensor.name.npos) {
    cursor.fail("a tensor's name must be 1 to 63 bytes of UTF-8");
  }
  const std::string which = "tensor '" + tensor.name + "': ";
  const auto rank = cursor.number<std::uint32_t>();
  if (rank < 1 || rank > gguf::kMaxRank) {
    cursor.fail(which + std::to_string(rank) + " dimensions; 1 to 4 are read");
  }
  tensor.shape.resize(rank);
  for (std::uint32_t i = rank; i-- > 0;) {
    const auto extent = cursor.number<std::uint64_t>();
    if (extent < 1 || extent > std::uint64_t{INT64_MAX}) {
      cursor.fail(which + "an extent of " + std::to_string(extent));
    }
    tensor.shape[i] = static_cast<std::int64_t>(extent);
  }
  const auto number = cursor.number<std::uint32_t>();
  const auto type = ggml_type_of(number);
  if (!type) {
    cursor.fail(which + "type " + std::to_string(number) +
                " is not read (f32, f16, bf16, q8_0 and q4_0 are)");
  }
  tensor.type = *type;
  const auto bytes = gguf::tensor_bytes(tensor.type, tensor.shape);
  if (!bytes) cursor.fail(which + "its rows are no whole blocks, or its size overflows");
  tensor.begin = cursor.number<std::uint64_t>();
  if (__builtin_add_overflow(tensor.begin, *bytes, &tensor.end)) {
    cursor.fail(which + "its offset overflows");
  }
  return tensor;
}

std::uint32_t alignment_of(const GgufMetadata& metadata, const Cursor& cursor) {
  const GgufValue* value = find_value(metadata, "general.alignment");
  if (value == nullptr) return kGgufAlignment;
  const auto* alignment = std::get_if<std::uint32_t>(value);
  constexpr std::uint32_t kLargest = 1 << 16;
  if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment < 8 ||
      *alignment > kLargest) {
    cursor.fail("general.alignment must be a u32, a power of two from 8 to 65536");
  }
  return *alignment;
}

// Makes begin and end offsets of the file, and holds them to it and to one another.
void place(std::vector<GgufTensor>& tensors, std::uint64_t data, std::uint64_t alignment,
           std::uint64_t file_size, const std::string& source) {
  const auto fail = [&](const GgufTensor& tensor, const std::string& problem) {
    throw Error(source + ": tensor '" + tensor.name + "' " + problem);
  };
  std::vector<const GgufTensor*> order;
  for (GgufTensor& tensor : tensors) {
    if (tensor.begin % alignment != 0) {
      fail(tensor, "begins at " + std::to_string(tensor.begin) + ", no multiple of " +
                       std::to_string(alignment));
    }
    if (data > file_size || tensor.end > file_size - data) {
      fail(tensor,
           "ends beyond the file's " + std::to_string(file_size) + " bytes: it was cut short");
    }
    tensor.begin += data;
    tensor.end += data;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(),
            [](const GgufTensor* a, const GgufTensor* b) { return a->begin < b->begin; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i]->begin < order[i - 1]->end) {
      fail(*order[i], "overlaps '" + order[i - 1]->name + "'");
    }
  }
}

void check_count(const Cursor& cursor, const char* what, std::uint64_t count, std::uint64_t most) {
  if (count > most) {
    cursor.fail(std::to_string(count) + " " + what + "; at most " + std::to_string(most) +
                " are read");
  }
}

}  // namespace

GgufHeader parse_gguf_header(const ReadBytes& read, std::uint64_t file_size,
                             const std::string& source, const GgufLimits& limits) {
  Cursor cursor(read, file_size, source, limits);
  char magic[sizeof(gguf::kMagic)] = {};
  cursor.copy(magic, sizeof(magic));
  if (std::memcmp(magic, gguf::kMagic, sizeof(magic)) != 0) {
    throw Error(source + ": does not begin with 'GGUF': it is no GGUF file");
  }
  const auto version = cursor.number<std::uint32_t>();
  if (version != gguf::kVersion) {
    cursor.fail("GGUF version " + std::to_string(version) + "; version 3 is read");
  }
  const auto tensors = cursor.number<std::uint64_t>();
  const auto values = cursor.number<std::uint64_t>();
  check_count(cursor, "tensors", tensors, limits.max_tensors);
  check_count(cursor, "metadata values", values, limits.max_values);
  GgufHeader header;
  header.metadata = read_metadata(cursor, values);
  const std::uint64_t alignment = alignment_of(header.metadata, cursor);
  std::unordered_set<std::string> seen;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    header.tensors.push_back(read_tensor(cursor));
    if (!seen.insert(header.tensors.back().name).second) {
      cursor.fail("tensor '" + header.tensors.back().name + "' stands twice");
    }
  }
  place(header.tensors, gguf::aligned(cursor.at(), alignment), alignment, file_size, source);
  return header;
}

}  // namespace plumb
