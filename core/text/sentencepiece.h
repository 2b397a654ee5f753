// What a SentencePiece model file says (sentencepiece_model.proto), as far as a tokenizer needs it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::text {

struct SentencePiece {
  std::string text;
  float score = 0;
  enum class Kind { normal = 1, unknown, control, user_defined, unused, byte } kind = Kind::normal;
};

struct SentencePieceModel {
  enum class Algorithm { unigram = 1, bpe, word, character } algorithm = Algorithm::unigram;
  std::vector<SentencePiece> pieces;
  bool byte_fallback = false;
  std::int32_t unk_id = 0;
  std::int32_t bos_id = 1;
  std::int32_t eos_id = 2;
  std::int32_t pad_id = -1;
  std::string unk_piece = "<unk>";
  std::string charsmap;  // precompiled; empty: none

  const std::string& piece_or_empty(std::int32_t id) const;
};

// Error on malformed bytes, no pieces, an id beyond them, or pieces that are not UTF-8 or not
// distinct.
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where);

}  // namespace plumb::text
