// Reads protocol buffers' wire format, field by field, without a schema compiler. Every length is
// checked against what is left.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace plumb::text {

struct ProtoField {
  std::uint32_t number = 0;
  std::uint64_t value = 0;  // of a varint, or the bits of a fixed number
  std::string_view bytes;   // of a length-delimited field
  enum class Kind { varint, fixed32, fixed64, bytes } kind = Kind::varint;

  float as_float() const;
  std::int32_t as_int32() const { return static_cast<std::int32_t>(value); }
};

class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}
  bool next(ProtoField& field);  // false at the end; Error on what is no message
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::uint64_t varint();
  std::string_view take(std::uint64_t count);

  std::string_view rest_;
  std::string where_;
};

}  // namespace plumb::text
