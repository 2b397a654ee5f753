// WordPiece (schuster2012wordpiece) as `tokenizers` does it: of a piece, again and again the
// longest start that the vocabulary has; tokens that do not begin the piece carry a prefix ("##").
#pragma once
#include <string>
#include <string_view>

#include "core/text/model_tokens.h"
#include "core/text/token_trie.h"
#include "core/text/vocab.h"

namespace plumb::text {

class WordPiece {
 public:
  static WordPiece parse(const JsonView& model);

  const Vocab& vocab() const { return vocab_; }
  // One piece (valid UTF-8, not empty). Where no token fits, or it has more than
  // max_input_chars_per_word characters, the whole is the unknown token; Error when there is none.
  void encode(std::string_view piece, ModelTokens& tokens) const;

 private:
  void add_unknown(std::string_view piece, ModelTokens& tokens) const;
  Vocab vocab_;
  std::string unk_token_;
  std::size_t max_chars_ = 100;
  TokenTrie trie_;
  TokenTrie::Step after_prefix_;
};

}  // namespace plumb::text
