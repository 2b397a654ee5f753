// What a Tokenizer is made of: the sections of tokenizer.json, ready to run, and what the folder's
// other files say.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/text/added_tokens.h"
#include "core/text/bpe.h"
#include "core/text/decoder.h"
#include "core/text/piece_cache.h"
#include "core/text/post_processor.h"
#include "core/text/pre_tokenizer.h"
#include "core/text/tokenizer.h"
#include "core/text/unigram.h"
#include "core/text/word_level.h"
#include "core/text/word_piece.h"

namespace plumb {

struct TokenizerParts {
  text::Normalizer normalizer;
  text::PreTokenizer pre_tokenizer;
  std::variant<text::Bpe, text::WordLevel, text::WordPiece, text::Unigram> model;
  std::vector<text::AddedToken> added;
  std::optional<text::TokenFinder> raw_finder;         // of tokens found before normalizing
  std::optional<text::TokenFinder> normalized_finder;  // and after
  text::PostProcessor post_processor;
  text::Decoder decoder;

  std::uint64_t cache_owner = text::PieceCache::new_owner();
  std::int32_t id_bound = 0;                                  // highest id + 1
  std::unordered_map<std::int32_t, std::size_t> added_of_id;  // index in `added`
  std::unordered_map<std::string, std::int32_t> id_of_added;
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

// The same tokens where the files leave them out, from what a converter knows.
void name_missing_tokens(TokenizerParts& parts, const Json& usual);

const text::Vocab& model_vocab(const TokenizerParts& parts);
const text::AddedToken* find_added(const TokenizerParts& parts, std::int32_t id);  // null: none
std::int32_t find_id(const TokenizerParts& parts, std::string_view token);         // kNoToken: none

}  // namespace plumb
