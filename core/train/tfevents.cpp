#include "core/train/tfevents.h"

#include <array>
#include <bit>
#include <cstring>

namespace plumb {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);
    table[byte] = crc;
  }
  return table;
}();

// TensorFlow stores a rotated CRC, since a CRC of bytes that hold their own CRC is degenerate.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

template <class T>
void append_raw(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Protobuf wire types.
enum Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_key(std::string& out, uint32_t field, Wire wire) {
  append_varint(out, field << 3 | wire);
}

void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Event.wall_time = 1 (double), Event.step = 2 (int64).
std::string event_start(double wall_time, int64_t step) {
  std::string event;
  append_key(event, 1, kFixed64);
  append_raw(event, wall_time);
  if (step != 0) {  // proto3 leaves out a zero
    append_key(event, 2, kVarint);
    append_varint(event, static_cast<uint64_t>(step));
  }
  return event;
}

std::string framed(const std::string& data) {
  std::string record;
  append_raw(record, static_cast<uint64_t>(data.size()));
  append_raw(record, masked_crc(record));
  record += data;
  append_raw(record, masked_crc(data));
  return record;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

std::string event_file_header(double wall_time) {
  std::string event = event_start(wall_time, 0);
  append_bytes(event, 3, "brain.Event:2");  // Event.file_version = 3
  return framed(event);
}

std::string event_record(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;  // Summary.Value: tag = 1, simple_value = 2 (float)
    append_bytes(entry, 1, tag);
    append_key(entry, 2, kFixed32);
    append_raw(entry, static_cast<float>(value));
    append_bytes(summary, 1, entry);  // Summary.value = 1
  }
  std::string event = event_start(wall_time, step);
  append_bytes(event, 5, summary);  // Event.summary = 5
  return framed(event);
}

}  // namespace plumb
