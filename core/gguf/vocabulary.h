// A tokenizer as one of llama.cpp's vocabularies: "llama" (SentencePiece's BPE: scores, byte
// tokens), "gpt2" (byte-level BPE: merges and a named pre-tokenizer), "t5" (Unigram).
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/gguf/token_list.h"
#include "core/io/gguf.h"
#include "core/text/tokenizer.h"

namespace plumb {

// What the model's configs say beside the tokenizer.
struct VocabularyNeeds {
  std::int64_t rows = 0;                 // of the embedding: as many tokens are listed
  std::optional<std::int32_t> bos = {};  // of config.json, where the tokenizer names none
  std::optional<std::int32_t> eos = {};
  std::set<std::int32_t> stops = {};  // of generation_config.json: eos, and end of turn or message
};

// The keys tokenizer.*. Throws Error, by name and with what can be done, on a tokenizer whose ids
// llama.cpp would not give: WordLevel, an unknown pre-tokenizer, merges that no scores express.
GgufMetadata vocabulary_metadata(const Tokenizer& tokenizer, const VocabularyNeeds& needs);

// llama.cpp's name for the pre-tokenizer of a byte-level BPE (tokenizer.ggml.pre). `source` is
// named in errors.
std::string gguf_pre_tokenizer(const Json& tokenizer, const std::string& source);

// A score for every token of a BPE model, of which the highest is joined first: merge r makes a
// token of score -r. Throws Error when the merges' order cannot be had so.
std::vector<float> scores_of_merges(const Json& model, const TokenList& list);

}  // namespace plumb
