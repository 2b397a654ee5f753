// A tokenizer.json made from the files of other libraries, equal to what transformers 5.23 makes of
// them (its tokenizer classes and slow-to-fast converters): the same ids and texts, and opened by
// transformers when saved.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json.h"

namespace plumb::text {

struct Converted {
  std::string json;  // a tokenizer.json
  // What tokenizer_config.json leaves out: names of bos_token and so on, and of its class. Used for
  // the tokens that the folder's own config does not name; the whole config where it has none.
  Json config = Json::object();
};

// Which of transformers' classes the result is to equal.
enum class TokenizerClass { llama, gemma, t5, generic, gpt2, qwen2, bert };

// Of the folder `base` (with a slash at its end), which holds no tokenizer.json. `config` is the
// text of its tokenizer_config.json or empty. Nothing when it holds none of the files that can be
// converted; Error when one is malformed.
std::optional<Converted> convert_folder(const std::string& base, std::string_view config);

// A SentencePiece model (BPE or Unigram).
Converted convert_sentencepiece(std::string_view model, std::optional<TokenizerClass> wanted,
                                const std::string& where);

// Lines of base64 bytes and rank. `special` follow the ranks; `pattern` divides the text.
struct TiktokenOptions {
  std::string pattern;
  std::vector<std::string> special;
};
Converted convert_tiktoken(std::string_view file, const TiktokenOptions& options,
                           const std::string& where);
bool is_tiktoken(std::string_view file);  // whether its first line is of that form

// Mistral's tekken.json.
Converted convert_tekken(std::string_view file, const std::string& where);

// GPT-2's vocab.json and merges.txt; of the class gpt2 or qwen2.
Converted convert_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                   TokenizerClass wanted, const std::string& where);

// BERT's vocab.txt: a token a line.
Converted convert_word_list(std::string_view file, const Json& config, const std::string& where);

}  // namespace plumb::text
