// What a Tokenizer is made of: the sections of tokenizer.json, ready to run, and what the folder's
// other files say.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/text/added_tokens.h"
#include "core/text/bpe.h"
#include "core/text/decoder.h"
#include "core/text/post_processor.h"
#include "core/text/pre_tokenizer.h"
#include "core/text/tokenizer.h"
#include "core/text/word_level.h"

namespace plumb {

struct TokenizerParts {
  text::Normalizer normalizer;
  text::PreTokenizer pre_tokenizer;
  std::variant<text::Bpe, text::WordLevel> model;
  std::vector<text::AddedToken> added;
  std::optional<text::TokenFinder> raw_finder;         // of tokens found before normalizing
  std::optional<text::TokenFinder> normalized_finder;  // and after
  text::Template post_processor = {text::kSequence};
  text::Decoder decoder;

  // By id, of every token, model's and added.
  struct Entry {
    std::string token;
    std::string decoded;  // what the decoder is given: an added token as it was looked for
    bool exists = false;
    bool is_special = false;
  };
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::int32_t, text::StringHash, std::equal_to<>> id_of;
  std::optional<std::int32_t> bos, eos, pad, unk;

  std::string json;
  std::string config;
  std::string jinja;
  std::map<std::string, std::string> other_files;  // name -> bytes, copied on save
};

// Sections of tokenizer.json; `where` names the file.
std::shared_ptr<TokenizerParts> parse_tokenizer(std::string_view json, const std::string& where);
// bos, eos, pad, unk, add_bos_token, add_eos_token and the chat template, from
// tokenizer_config.json and, for what that lacks, special_tokens_map.json. Empty text: no file.
void apply_config(TokenizerParts& parts, std::string_view config, std::string_view special_map,
                  const std::string& folder);

const text::Vocab& model_vocab(const TokenizerParts& parts);

}  // namespace plumb
