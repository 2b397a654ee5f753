// The tokens of a vocabulary as a trie over bytes: all that begin at a place are found in one walk.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/text/pair_table.h"
#include "core/text/vocab.h"

namespace plumb::text {

// Bounds the walk from each place of a text. No tokenizer has a longer token.
inline constexpr std::size_t kMaxTrieTokenBytes = 1024;

class TokenTrie {
 public:
  struct Step {
    std::int32_t node = -1;  // negative: no token goes on so
    std::int32_t id = kNoToken;
  };

  // Error when a token is too long; `where` names the vocabulary.
  static TokenTrie of(const Vocab& vocab, const std::string& where);

  Step begin() const { return {0, kNoToken}; }
  Step next(Step from, char byte) const {
    const PairValue edge = edges_.find(from.node, static_cast<unsigned char>(byte));
    return {edge.first, edge.second};
  }
  // After all of `text`, from the trie's start.
  Step after(std::string_view text) const;

 private:
  void add(std::string_view token, std::int32_t id);

  PairTable edges_;  // (node, byte) -> (node, id of the token that ends there)
  std::int32_t next_node_ = 1;
};

}  // namespace plumb::text
