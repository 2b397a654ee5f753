// The tokenizer.json and tokenizer_config.json of a trained tokenizer.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/io/json.h"
#include "core/text/train.h"

namespace plumb::text {

inline constexpr const char* kUnkToken = "<unk>";  // of word and character tokenizers

// Special tokens in order of their ids, from 0, each once.
std::vector<std::string> special_tokens_of(const TokenizerTraining& options);

// The pre-tokenizer of a kind, as in tokenizer.json.
Json pre_tokenizer_json(TokenizerKind kind);
// `merges`: pairs of tokens, for bpe.
Json tokenizer_json(const TokenizerTraining& options, const std::vector<std::string>& tokens,
                    const std::vector<std::pair<std::string, std::string>>& merges);
Json tokenizer_config_json(const TokenizerTraining& options);

}  // namespace plumb::text
