// A model in which each piece is one token of the vocabulary, or the unknown token.
#pragma once
#include <string>
#include <string_view>

#include "core/text/model_tokens.h"
#include "core/text/vocab.h"

namespace plumb::text {

class WordLevel {
 public:
  static WordLevel parse(const JsonView& model);

  const Vocab& vocab() const { return vocab_; }
  const std::string& unk_token() const { return unk_token_; }
  // One piece. Error when it is unknown and the vocabulary has no unk_token.
  void encode(std::string_view piece, ModelTokens& tokens) const;

 private:
  Vocab vocab_;
  std::string unk_token_;
};

}  // namespace plumb::text
