#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/text/base64.h"
#include "core/text/byte_level.h"
#include "core/text/convert.h"
#include "core/text/convert_parts.h"
#include "core/text/json_view.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

struct RankLine {
  std::string token;  // bytes
  std::int64_t rank = 0;
};

// "base64 rank"; nothing when the line is not so.
std::optional<RankLine> parse_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  auto token = from_base64(line.substr(0, space));
  const std::string_view digits = line.substr(space + 1);
  std::int64_t rank = -1;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), rank);
  const bool is_good = token && !token->empty() && error == std::errc() && end == digits.end();
  if (!is_good || rank < 0) return std::nullopt;
  return RankLine{std::move(*token), rank};
}

std::string_view next_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// The tokens in order of their ranks, which must be 0, 1, 2, ...
std::vector<std::string> parse_ranks(std::string_view file, const std::string& where) {
  std::vector<std::string> tokens;
  for (std::size_t number = 1; !file.empty(); ++number) {
    const std::string_view line = next_line(file);
    if (line.empty()) continue;
    auto entry = parse_line(line);
    const bool is_next = entry && entry->rank == static_cast<std::int64_t>(tokens.size());
    if (!is_next) {
      throw Error(where + ", line " + std::to_string(number) + ": expected base64, a space and " +
                  std::to_string(tokens.size()) + ", got '" + std::string(line.substr(0, 60)) +
                  "'");
    }
    tokens.push_back(std::move(entry->token));
  }
  if (tokens.empty()) throw Error(where + ": has no tokens");
  return tokens;
}

void check_distinct(const std::vector<std::string>& tokens, const std::string& where) {
  std::vector<std::string_view> sorted(tokens.begin(), tokens.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw Error(where + ": the token " + to_base64(*twice) + " (base64) comes twice");
  }
}

struct RankedVocab {
  std::vector<std::string> special;  // ids from 0
  std::vector<std::string> ranked;   // bytes; ids after those
};

// The model section. Merges are found between bytes and then spelled in GPT-2's alphabet, in which
// a token is cut at the same places.
Json ranked_model(const RankedVocab& vocab, const std::string& where) {
  check_distinct(vocab.ranked, where);
  std::vector<std::string> spelled;
  spelled.reserve(vocab.ranked.size());
  for (const std::string& token : vocab.ranked) spelled.push_back(to_byte_level(token));
  Json merges = implied_merges(spelled, PairOrder::by_ranks, where);
  std::vector<std::string> all = vocab.special;
  all.insert(all.end(), spelled.begin(), spelled.end());
  check_distinct(all, where);
  Json model = bpe_json(vocab_json(all), std::move(merges));
  model["ignore_merges"] = true;
  return model;
}

Json ranked_document(Json model, const std::vector<SpecialTokenEntry>& added,
                     std::string_view pattern) {
  Json json = tokenizer_document(std::move(model), added);
  json["pre_tokenizer"] = split_then_bytes(pattern);
  json["decoder"] = byte_level_section();
  json["post_processor"] = byte_level_section();
  json["post_processor"]["trim_offsets"] = false;
  return json;
}

}  // namespace

bool is_tiktoken(std::string_view file) {
  return parse_line(next_line(file)).has_value();
}

Converted convert_tiktoken(std::string_view file, const TiktokenOptions& options,
                           const std::string& where) {
  const RankedVocab vocab{{}, parse_ranks(file, where)};
  std::vector<SpecialTokenEntry> added;
  for (std::size_t i = 0; i < options.special.size(); ++i) {
    added.push_back({static_cast<std::int64_t>(vocab.ranked.size() + i), options.special[i], true});
  }
  const Json json = ranked_document(ranked_model(vocab, where), added, options.pattern);
  return {json.dump(), {{"tokenizer_class", "PreTrainedTokenizerFast"}}};
}

Converted convert_tekken(std::string_view file, const std::string& where) {
  const Json document = parse_json(file, where);
  const JsonView root(document, where + ": ");
  const JsonView config = root["config"];
  RankedVocab vocab;
  if (!root.has("special_tokens")) {
    root.fail(
        "a tekken.json without special_tokens (before version 7) is not supported; take the "
        "tokenizer.json of the model");
  }
  for (const JsonView& token : root["special_tokens"].items()) {
    const auto next = static_cast<std::int64_t>(vocab.special.size());
    token["rank"].integer(next, next);
    vocab.special.push_back(token["token_str"].string());
  }
  constexpr std::int64_t kMaxTokens = 1 << 24;
  const auto special = static_cast<std::int64_t>(vocab.special.size());
  if (config.has("default_num_special_tokens")) {
    const std::int64_t count = config["default_num_special_tokens"].integer(special, kMaxTokens);
    for (std::int64_t i = special; i < count; ++i) {
      vocab.special.push_back("<SPECIAL_" + std::to_string(i) + ">");
    }
  }
  const std::vector<JsonView> entries = root["vocab"].items();
  std::size_t count = entries.size();
  if (config.has("default_vocab_size")) {
    const auto taken = static_cast<std::int64_t>(vocab.special.size());
    const std::int64_t size = config["default_vocab_size"].integer(taken, kMaxTokens);
    count = std::min(count, static_cast<std::size_t>(size - taken));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const JsonView bytes = entries[i]["token_bytes"];
    auto token = from_base64(bytes.string());
    if (!token || token->empty()) bytes.fail("expected base64 of at least a byte");
    vocab.ranked.push_back(std::move(*token));
  }
  std::vector<SpecialTokenEntry> added;
  for (std::size_t i = 0; i < vocab.special.size(); ++i) {
    added.push_back({static_cast<std::int64_t>(i), vocab.special[i], true});
  }
  const std::string pattern = config["pattern"].string();
  const Json json = ranked_document(ranked_model(vocab, where), added, pattern);
  Json names = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  for (const auto& [key, token] : {std::pair("bos_token", "<s>"), std::pair("eos_token", "</s>"),
                                   std::pair("unk_token", "<unk>")}) {
    const auto& known = vocab.special;
    if (std::find(known.begin(), known.end(), token) != known.end()) names[key] = token;
  }
  return {json.dump(), std::move(names)};
}

}  // namespace plumb::text
