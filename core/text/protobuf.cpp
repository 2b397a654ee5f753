#include "core/text/protobuf.h"

#include <bit>
#include <cstring>

#include "core/error.h"

namespace plumb::text {

float ProtoField::as_float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value));
}

void ProtoReader::fail(const std::string& what) const {
  throw Error(where_ + ": not a SentencePiece model: " + what +
              "; take the file from its source again");
}

std::uint64_t ProtoReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) fail("a number is cut off");
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number has more than 64 bits");
}

std::string_view ProtoReader::take(std::uint64_t count) {
  if (count > rest_.size()) {
    fail("a field of " + std::to_string(count) + " bytes where " + std::to_string(rest_.size()) +
         " are left");
  }
  const std::string_view bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return bytes;
}

bool ProtoReader::next(ProtoField& field) {
  if (rest_.empty()) return false;
  const std::uint64_t key = varint();
  field = {};
  field.number = static_cast<std::uint32_t>(key >> 3);
  if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) fail("a field has no valid number");
  switch (key & 7) {
    case 0:
      field.value = varint();
      return true;
    case 1: {
      field.kind = ProtoField::Kind::fixed64;
      std::memcpy(&field.value, take(8).data(), 8);
      return true;
    }
    case 2:
      field.kind = ProtoField::Kind::bytes;
      field.bytes = take(varint());
      return true;
    case 5: {
      field.kind = ProtoField::Kind::fixed32;
      std::uint32_t bits = 0;
      std::memcpy(&bits, take(4).data(), 4);
      field.value = bits;
      return true;
    }
    default:
      fail("a field of wire type " + std::to_string(key & 7));
  }
}

}  // namespace plumb::text
