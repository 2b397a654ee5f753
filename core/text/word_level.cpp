#include "core/text/word_level.h"

#include "core/error.h"

namespace plumb::text {

WordLevel WordLevel::parse(const JsonView& model) {
  WordLevel word_level;
  word_level.vocab_ = parse_vocab(model["vocab"]);
  word_level.unk_token_ = model["unk_token"].string();
  return word_level;
}

void WordLevel::encode(std::string_view piece, ModelTokens& tokens) const {
  std::int32_t id = vocab_.find(piece);
  if (id == kNoToken) id = vocab_.find(unk_token_);
  if (id == kNoToken) {
    throw Error("the tokenizer's vocabulary has neither '" + std::string(piece.substr(0, 80)) +
                "' nor its unk_token '" + unk_token_ + "'");
  }
  tokens.add(id, 0, piece.size());
}

}  // namespace plumb::text
