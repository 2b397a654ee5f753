#include "core/text/word_piece.h"

#include <algorithm>

#include "core/error.h"

namespace plumb::text {

WordPiece WordPiece::parse(const JsonView& model) {
  WordPiece word_piece;
  word_piece.vocab_ = parse_vocab(model["vocab"]);
  word_piece.unk_token_ = model["unk_token"].string();
  if (model.has("max_input_chars_per_word")) {
    word_piece.max_chars_ =
        static_cast<std::size_t>(model["max_input_chars_per_word"].integer(0, 1 << 20));
  }
  word_piece.trie_ = TokenTrie::of(word_piece.vocab_, model.where() + ".vocab");
  word_piece.after_prefix_ =
      word_piece.trie_.after(model.string_or("continuing_subword_prefix", "##"));
  return word_piece;
}

void WordPiece::add_unknown(std::string_view piece, ModelTokens& tokens) const {
  const std::int32_t id = vocab_.find(unk_token_);
  if (id == kNoToken) {
    throw Error("the tokenizer's unk_token '" + unk_token_ + "' is not in its vocabulary, and '" +
                std::string(piece.substr(0, 80)) + "' cannot be made of its tokens");
  }
  tokens.add(id, 0, piece.size());
}

void WordPiece::encode(std::string_view piece, ModelTokens& tokens) const {
  const auto chars =
      std::count_if(piece.begin(), piece.end(), [](char c) { return (c & 0xC0) != 0x80; });
  if (static_cast<std::size_t>(chars) > max_chars_) return add_unknown(piece, tokens);
  const std::size_t count = tokens.ids.size();
  const std::size_t spans = tokens.spans.size();
  for (std::size_t begin = 0; begin < piece.size();) {
    std::int32_t id = kNoToken;
    std::size_t end = begin;
    TokenTrie::Step step = begin == 0 ? trie_.begin() : after_prefix_;
    for (std::size_t i = begin; i < piece.size() && step.node >= 0; ++i) {
      step = trie_.next(step, piece[i]);
      if (step.id == kNoToken) continue;
      id = step.id;
      end = i + 1;
    }
    if (id == kNoToken) {
      tokens.ids.resize(count);
      tokens.spans.resize(spans);
      return add_unknown(piece, tokens);
    }
    tokens.add(id, begin, end);
    begin = end;
  }
}

}  // namespace plumb::text
