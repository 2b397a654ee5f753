#include "core/text/train_json.h"

#include <algorithm>

#include "core/error.h"
#include "core/text/convert_parts.h"

namespace plumb::text {

namespace {

Json model_json(const TokenizerTraining& options, const std::vector<std::string>& tokens,
                const std::vector<std::pair<std::string, std::string>>& merges) {
  if (options.kind != TokenizerKind::bpe) {
    return {{"type", "WordLevel"}, {"vocab", vocab_json(tokens)}, {"unk_token", kUnkToken}};
  }
  Json pairs = Json::array();
  for (const auto& [left, right] : merges) pairs.push_back(Json::array({left, right}));
  return bpe_json(vocab_json(tokens), std::move(pairs));
}

Json decoder_json(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::bpe:
      return byte_level_section();
    case TokenizerKind::word:
      return nullptr;  // tokens with spaces between
    case TokenizerKind::character:
      return {{"type", "Fuse"}};
  }
  return nullptr;
}

// <bos> before the text.
Json post_processor_json(const std::string& bos, std::size_t id) {
  const Json special = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const Json first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  Json post;
  post["type"] = "TemplateProcessing";
  post["single"] = Json::array({special, first});
  post["pair"] = Json::array({special, first, special, second});
  post["special_tokens"][bos] = {
      {"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}};
  return post;
}

}  // namespace

std::vector<std::string> special_tokens_of(const TokenizerTraining& options) {
  std::vector<std::string> tokens;
  const auto add = [&](const std::string& token) {
    const bool is_known = std::find(tokens.begin(), tokens.end(), token) != tokens.end();
    if (!token.empty() && !is_known) tokens.push_back(token);
  };
  if (options.kind != TokenizerKind::bpe) add(kUnkToken);
  add(options.bos_token);
  add(options.eos_token);
  add(options.pad_token);
  for (const std::string& token : options.special_tokens) add(token);
  return tokens;
}

Json pre_tokenizer_json(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::bpe:
      return byte_level_section();
    case TokenizerKind::word:
      return {{"type", "Whitespace"}};
    case TokenizerKind::character:
      return {{"type", "Split"},
              {"pattern", {{"Regex", "[\\s\\S]"}}},
              {"behavior", "Isolated"},
              {"invert", false}};
  }
  return nullptr;
}

Json tokenizer_json(const TokenizerTraining& options, const std::vector<std::string>& tokens,
                    const std::vector<std::pair<std::string, std::string>>& merges) {
  const std::vector<std::string> special = special_tokens_of(options);
  std::vector<SpecialTokenEntry> added;
  for (const std::string& token : special) {
    added.push_back({static_cast<std::int64_t>(added.size()), token});
  }
  Json json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = added_tokens_json(added);
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = pre_tokenizer_json(options.kind);
  const auto bos = std::find(special.begin(), special.end(), options.bos_token);
  json["post_processor"] =
      bos == special.end() ? Json(nullptr) : post_processor_json(*bos, bos - special.begin());
  json["decoder"] = decoder_json(options.kind);
  json["model"] = model_json(options, tokens, merges);
  return json;
}

Json tokenizer_config_json(const TokenizerTraining& options) {
  Json json;
  json["tokenizer_class"] = "PreTrainedTokenizerFast";
  json["clean_up_tokenization_spaces"] = false;
  if (!options.bos_token.empty()) json["bos_token"] = options.bos_token;
  if (!options.eos_token.empty()) json["eos_token"] = options.eos_token;
  if (!options.pad_token.empty()) json["pad_token"] = options.pad_token;
  if (options.kind != TokenizerKind::bpe) json["unk_token"] = kUnkToken;
  if (options.model_max_length > 0) json["model_max_length"] = options.model_max_length;
  return json;
}

}  // namespace plumb::text
