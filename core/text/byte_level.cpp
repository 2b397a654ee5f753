#include "core/text/byte_level.h"

#include <array>

#include "core/text/unicode.h"

namespace plumb::text {

namespace {

struct Alphabet {
  std::array<std::string, 256> char_of;
  std::array<int, 512> byte_of;

  Alphabet() {
    byte_of.fill(-1);
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool is_printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      const int code = is_printable ? byte : next++;
      char_of[byte] = from_char(static_cast<char32_t>(code));
      byte_of[code] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

void append_byte_level(std::string& out, unsigned char byte) {
  out += alphabet().char_of[byte];
}

std::string to_byte_level(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 2);
  for (const char c : text) append_byte_level(out, static_cast<unsigned char>(c));
  return out;
}

void append_from_byte_level(std::string_view token, std::string& bytes) {
  const std::size_t size = bytes.size();
  const Alphabet& letters = alphabet();
  for (std::size_t i = 0; i < token.size();) {
    const DecodedChar c = decode_char(token, i);
    const int byte = c.code < letters.byte_of.size() ? letters.byte_of[c.code] : -1;
    if (byte < 0) {
      bytes.resize(size);
      bytes += token;
      return;
    }
    bytes += static_cast<char>(byte);
    i += c.length;
  }
}

}  // namespace plumb::text
