#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/gguf/vocabulary.h"
#include "core/gguf/vocabulary_parts.h"

namespace plumb {
namespace {

// The merges that make one token: the first of them, and how many there are.
struct Makers {
  std::size_t first = 0;
  std::size_t count = 0;
};
using MakersOfToken = std::unordered_map<std::string, Makers>;

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(
      "export --format gguf: the tokenizer's merges cannot be written as the scores that "
      "llama.cpp's 'llama' vocabulary goes by: " +
      problem + ". Tokenizers made from SentencePiece models can; byte-level BPE keeps its merges");
}

// Merges of one token must follow one another: a score has one place among the others.
MakersOfToken makers_of(const std::vector<MergeTexts>& merges) {
  MakersOfToken makers;
  std::string last;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string token = merges[rank].left + merges[rank].right;
    const auto [place, is_new] = makers.try_emplace(token, Makers{rank, 0});
    if (!is_new && token != last) {
      refuse("'" + token + "' is made by merges " + std::to_string(place->second.first) + " and " +
             std::to_string(rank) + " with others between");
    }
    ++place->second.count;
    last = token;
  }
  return makers;
}

bool is_boundary(const std::string& text, std::size_t at) {
  return (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
}

// llama.cpp joins any two tokens that make a third; merges must do so too.
void check_splits(const std::string& token, std::size_t merges,
                  const std::unordered_set<std::string>& known) {
  std::size_t splits = 0;
  for (std::size_t at = 1; at < token.size(); ++at) {
    if (!is_boundary(token, at)) continue;
    if (known.contains(token.substr(0, at)) && known.contains(token.substr(at))) ++splits;
  }
  if (splits > merges) {
    refuse("'" + token + "' can be joined from tokens in " + std::to_string(splits) +
           " ways, of which " + std::to_string(merges) + " are merges");
  }
}

}  // namespace

std::vector<float> scores_of_merges(const Json& model, const TokenList& list) {
  const auto makers = makers_of(merges_of(model));
  std::unordered_set<std::string> known;
  for (std::size_t id = 0; id < list.tokens.size(); ++id) {
    if (list.types[id] == static_cast<std::int32_t>(GgufTokenType::normal)) {
      known.insert(list.tokens[id]);
    }
  }
  const auto lowest = -static_cast<float>(model["merges"].size() + 1);
  std::vector<float> scores(list.tokens.size(), lowest);
  for (std::size_t id = 0; id < list.tokens.size(); ++id) {
    const std::string& token = list.tokens[id];
    if (!known.contains(token)) continue;
    const auto found = makers.find(token);
    check_splits(token, found == makers.end() ? 0 : found->second.count, known);
    if (found != makers.end()) scores[id] = -static_cast<float>(found->second.first);
  }
  return scores;
}

}  // namespace plumb
