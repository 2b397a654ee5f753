// Byte-pair encoding (sennrich2016bpe) as `tokenizers` does it: a piece's characters, merged pair
// by pair, lowest rank and then leftmost first. O(n log n) in the piece's length.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/model_tokens.h"
#include "core/text/pair_table.h"
#include "core/text/vocab.h"

namespace plumb::text {

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
  // One piece (valid UTF-8, not empty).
  void encode(std::string_view piece, ModelTokens& tokens) const;
  // No rule joins a mark to another character before it, so a piece may be cut there: texts that
  // are one piece, as with Llama's tokenizer, then cost no more than words do.
  bool cuts_at_marks() const { return cuts_at_marks_; }

 private:
  struct Symbol {
    std::int32_t id;
    std::uint32_t length;        // bytes of the piece
    std::int32_t previous = -1;  // index; -1 at the start
    std::int32_t next = -1;      // -1 at the end
    bool is_removed = false;
  };
  std::int32_t find_symbol(std::string_view symbol) const;
  bool append_bytes(std::string_view symbol, std::vector<Symbol>& symbols) const;
  void append_symbols(std::string_view piece, std::vector<Symbol>& symbols) const;
  void merge(std::vector<Symbol>& symbols) const;
  void parse_merges(const JsonView& merges);
  void index_symbols();

  Vocab vocab_;
  BpeOptions options_;
  PairTable merges_;                    // (left id, right id) -> (rank, id)
  std::vector<std::int32_t> byte_ids_;  // of <0x00> .. <0xFF>
  std::vector<std::int32_t> char_ids_;  // of the characters below U+0200
  std::int32_t unk_id_ = kNoToken;
  bool cuts_at_marks_ = false;
};

}  // namespace plumb::text
