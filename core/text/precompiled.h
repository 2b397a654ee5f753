// SentencePiece's precompiled character map, the `Precompiled` normalizer: a double-array trie
// (kudo2018sentencepiece; the darts-clone layout) from text to its replacement.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/tracked_text.h"

namespace plumb::text {

class Charsmap {
 public:
  // {"precompiled_charsmap": base64}. Error on a map that points outside itself.
  static Charsmap parse(const JsonView& view);
  static Charsmap from_bytes(std::string_view bytes, const std::string& where);

  // Replaces each cluster of less than 6 bytes, or else each character, that begins with an entry:
  // as `tokenizers` does, whole, by the replacement of the shortest entry.
  void apply(TrackedText& text) const;

 private:
  std::optional<std::string_view> replacement_of(std::string_view chunk) const;
  bool is_plain_ascii(std::string_view text, std::size_t at) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // each ends with a zero byte
  std::array<bool, 128> has_ascii_{};
};

}  // namespace plumb::text
