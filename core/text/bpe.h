// Byte-pair encoding (sennrich2016bpe) as `tokenizers` does it: a piece's characters, merged pair
// by pair, lowest rank and then leftmost first. O(n log n) in the piece's length.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/vocab.h"

namespace plumb::text {

struct MergeRule {
  std::int32_t rank = -1;  // negative: no such rule
  std::int32_t id = kNoToken;
};

// (left id, right id) -> rule, in one flat table.
class MergeTable {
 public:
  void reserve(std::size_t count);
  void set(std::int32_t left, std::int32_t right, MergeRule rule);  // a later one replaces
  MergeRule find(std::int32_t left, std::int32_t right) const;

 private:
  struct Entry {
    std::uint64_t key = kEmpty;
    MergeRule rule;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  std::size_t slot_of(std::uint64_t key) const;
  std::vector<Entry> entries_;
};

struct BpeOptions {
  std::string unk_token;  // empty: none; unknown characters are then dropped
  std::string continuing_subword_prefix;
  std::string end_of_word_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

inline constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

class Bpe {
 public:
  static Bpe parse(const JsonView& model);

  const Vocab& vocab() const { return vocab_; }
  const BpeOptions& options() const { return options_; }
  // Appends the ids of one piece (valid UTF-8, not empty).
  void encode(std::string_view piece, std::vector<std::int32_t>& ids) const;

 private:
  void encode_part(std::string_view part, std::vector<std::int32_t>& ids) const;
  void encode_uncached(std::string_view piece, std::vector<std::int32_t>& ids) const;
  std::int32_t find_symbol(std::string_view symbol) const;
  bool append_bytes(std::string_view symbol, std::vector<std::int32_t>& symbols) const;
  std::vector<std::int32_t> symbols_of(std::string_view piece) const;
  void merge(std::vector<std::int32_t>& symbols) const;
  void parse_merges(const JsonView& merges);
  void index_symbols();

  Vocab vocab_;
  BpeOptions options_;
  MergeTable merges_;
  std::vector<std::int32_t> byte_ids_;  // of <0x00> .. <0xFF>
  std::vector<std::int32_t> char_ids_;  // of the characters below U+0200
  std::int32_t unk_id_ = kNoToken;
  // No rule joins a mark to another character before it, so a piece may be cut there: texts that
  // are one piece, as with Llama's tokenizer, then cost no more than words do.
  bool cuts_at_marks_ = false;
  std::uint64_t cache_key_ = 0;
};

}  // namespace plumb::text
