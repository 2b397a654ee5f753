// The unigram language model (kudo2018subword) as `tokenizers` does it: of all ways to make a piece
// of tokens, the one with the highest sum of scores.
#pragma once
#include <string_view>
#include <vector>

#include "core/text/model_tokens.h"
#include "core/text/token_trie.h"
#include "core/text/vocab.h"

namespace plumb::text {

class Unigram {
 public:
  static Unigram parse(const JsonView& model);

  const Vocab& vocab() const { return vocab_; }
  // One piece (valid UTF-8, not empty). Runs of unknown characters are one unknown token, or byte
  // tokens with byte_fallback; Error when there is neither. Linear in the piece's length.
  void encode(std::string_view piece, ModelTokens& tokens) const;

 private:
  struct Node {  // of the best path that ends at a byte
    double score = 0;
    std::int32_t begin = -1;  // where its last token begins; negative: no path ends here
    std::int32_t id = kNoToken;
  };
  void extend_paths(std::string_view piece, std::size_t at, std::vector<Node>& nodes) const;
  void add_token(std::string_view piece, Match span, ModelTokens& tokens) const;
  bool add_bytes(std::string_view piece, Match span, ModelTokens& tokens) const;
  [[noreturn]] void fail_unknown(std::string_view part) const;

  Vocab vocab_;
  std::vector<double> scores_;  // by id
  double unk_score_ = 0;
  std::int32_t unk_id_ = kNoToken;
  std::vector<std::int32_t> byte_ids_;  // of <0x00> .. <0xFF>; empty without byte_fallback
  TokenTrie trie_;
};

}  // namespace plumb::text
