#include "core/text/precompiled.h"

#include <cstring>

#include "core/error.h"
#include "core/text/base64.h"
#include "core/text/graphemes.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxGrapheme = 6;  // bytes; longer clusters are mapped by characters

// One unit of the trie: 8 bits of label, a leaf bit, and where its children are.
bool has_leaf(std::uint32_t unit) {
  return unit >> 8 & 1;
}
std::uint32_t label_of(std::uint32_t unit) {
  return unit & (0x80000000U | 0xFF);
}
std::size_t children_of(std::uint32_t unit) {
  return static_cast<std::size_t>(unit >> 10) << ((unit & (1U << 9)) >> 6);
}
std::uint32_t value_of(std::uint32_t unit) {
  return unit & 0x7FFFFFFFU;
}

std::size_t count_chars(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += decode_char(text, i).length) ++count;
  return count;
}

// Writes replacements as `tokenizers` notes them: new characters stand for the old ones one by one;
// when there are more, the last ones are added; when there are fewer, the last one written swallows
// the rest, even if it is of an earlier replacement. What is removed at the very start is not
// noted.
class ReplacementWriter {
 public:
  explicit ReplacementWriter(const TrackedText& old) : out_(old, 0) {}

  void keep(std::string_view character) { put(character, 0); }
  void keep_run(std::string_view ascii) {
    if (ascii.empty()) return;
    flush();
    out_.put_next_run(ascii.substr(0, ascii.size() - 1));
    last_ = ascii.substr(ascii.size() - 1);
    change_ = 0;
  }
  void replace(std::string_view part, std::string_view replacement) {
    const std::size_t old_count = count_chars(part);
    std::size_t new_count = 0;
    for (std::size_t i = 0; i < replacement.size(); ++new_count) {
      const std::size_t length = decode_char(replacement, i).length;
      put(replacement.substr(i, length), new_count >= old_count ? 1 : 0);
      i += length;
    }
    if (new_count < old_count) change_ -= static_cast<int>(old_count - new_count);
  }
  TrackedText finish() {
    flush();
    return out_.finish();
  }

 private:
  void put(std::string_view character, int change) {
    flush();
    last_ = character;
    change_ = change;
  }
  void flush() {
    if (!last_.empty()) out_.put(last_, change_);
  }

  Rewriter out_;
  std::string_view last_;  // not written yet: more may be swallowed
  int change_ = 0;
};

}  // namespace

Charsmap Charsmap::parse(const JsonView& view) {
  const JsonView text = view["precompiled_charsmap"];
  const auto bytes = from_base64(text.string());
  if (!bytes) text.fail("expected base64");
  return from_bytes(*bytes, text.where());
}

Charsmap Charsmap::from_bytes(std::string_view bytes, const std::string& where) {
  const auto fail = [&](const std::string& what) -> void {
    throw Error(where + ": the precompiled character map " + what +
                "; take the file from its source again");
  };
  std::uint32_t trie_bytes = 0;
  if (bytes.size() < sizeof trie_bytes) fail("has less than 4 bytes");
  std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  bytes.remove_prefix(sizeof trie_bytes);
  if (trie_bytes > bytes.size() || trie_bytes % 4 != 0 || trie_bytes == 0) {
    fail("says its trie has " + std::to_string(trie_bytes) + " bytes, of " +
         std::to_string(bytes.size()));
  }
  Charsmap map;
  map.units_.resize(trie_bytes / 4);
  std::memcpy(map.units_.data(), bytes.data(), trie_bytes);
  map.replacements_ = bytes.substr(trie_bytes);
  if (!is_valid_utf8(map.replacements_)) fail("has replacements that are not UTF-8");
  for (std::size_t c = 0; c < map.has_ascii_.size(); ++c) {
    const char byte = static_cast<char>(c);
    map.has_ascii_[c] = map.replacement_of({&byte, 1}).has_value();
  }
  return map;
}

// A walk that leaves the trie finds nothing; a value that points outside or into a character is
// taken for none.
std::optional<std::string_view> Charsmap::replacement_of(std::string_view chunk) const {
  std::size_t at = children_of(units_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[at];
    at ^= children_of(unit);
    if (!has_leaf(unit)) continue;
    if (at >= units_.size()) return std::nullopt;
    const std::size_t begin = value_of(units_[at]);
    if (begin > replacements_.size()) return std::nullopt;
    const bool is_inside = begin < replacements_.size() && (replacements_[begin] & 0xC0) == 0x80;
    if (is_inside) return std::nullopt;
    const std::string_view rest = std::string_view(replacements_).substr(begin);
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

bool Charsmap::is_plain_ascii(std::string_view text, std::size_t at) const {
  const auto c = static_cast<unsigned char>(text[at]);
  if (c >= 0x80 || has_ascii_[c]) return false;
  return at + 1 == text.size() || ((text[at + 1] & 0x80) == 0 && c != '\r');
}

void Charsmap::apply(TrackedText& text) const {
  const std::string_view bytes = text.bytes;
  ReplacementWriter out(text);
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t plain = i;
    while (plain < bytes.size() && is_plain_ascii(bytes, plain)) ++plain;
    out.keep_run(bytes.substr(i, plain - i));
    i = plain;
    if (i == bytes.size()) break;
    const std::size_t end = grapheme_end(bytes, i);
    const std::string_view cluster = bytes.substr(i, end - i);
    i = end;
    if (cluster.size() < kMaxGrapheme) {
      if (const auto replacement = replacement_of(cluster)) {
        out.replace(cluster, *replacement);
        continue;
      }
    }
    for (std::size_t k = 0; k < cluster.size();) {
      const std::string_view part = cluster.substr(k, decode_char(cluster, k).length);
      k += part.size();
      if (const auto replacement = replacement_of(part)) {
        out.replace(part, *replacement);
      } else {
        out.keep(part);
      }
    }
  }
  text = out.finish();
}

}  // namespace plumb::text
