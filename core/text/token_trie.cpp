#include "core/text/token_trie.h"

#include "core/error.h"

namespace plumb::text {

TokenTrie TokenTrie::of(const Vocab& vocab, const std::string& where) {
  TokenTrie trie;
  for (std::int32_t id = 0; id < vocab.id_bound(); ++id) {
    const std::string& token = vocab.token(id);
    if (token.size() > kMaxTrieTokenBytes) {
      throw Error(where + ": token " + std::to_string(id) + " has " + std::to_string(token.size()) +
                  " bytes; at most " + std::to_string(kMaxTrieTokenBytes) + " are supported");
    }
    if (!token.empty()) trie.add(token, id);
  }
  return trie;
}

void TokenTrie::add(std::string_view token, std::int32_t id) {
  std::int32_t node = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const std::int32_t byte = static_cast<unsigned char>(token[i]);
    PairValue edge = edges_.find(node, byte);
    const bool is_last = i + 1 == token.size();
    if (edge.first < 0 || is_last) {
      if (edge.first < 0) edge.first = next_node_++;
      if (is_last) edge.second = id;
      edges_.set(node, byte, edge);
    }
    node = edge.first;
  }
}

TokenTrie::Step TokenTrie::after(std::string_view text) const {
  Step step = begin();
  for (const char c : text) {
    if (step.node < 0) break;
    step = next(step, c);
  }
  return step;
}

}  // namespace plumb::text
