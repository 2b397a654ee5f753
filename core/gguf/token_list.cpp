#include <unordered_map>

#include "core/error.h"
#include "core/gguf/token_list.h"
#include "core/gguf/vocabulary_parts.h"

namespace plumb {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

bool is_byte_token(const std::string& token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with(">");
}

void put(TokenList& list, std::int64_t id, std::string token, GgufTokenType type) {
  if (id < 0 || id >= static_cast<std::int64_t>(list.tokens.size())) {
    throw Error("export --format gguf: token '" + token + "' has id " + std::to_string(id) +
                ", the model's embedding has " + std::to_string(list.tokens.size()) + " rows");
  }
  list.tokens[id] = std::move(token);
  list.types[id] = static_cast<std::int32_t>(type);
}

void put_model_tokens(TokenList& list, const Json& model) {
  const bool has_bytes = model.value("byte_fallback", false);
  const auto type_of = [&](const std::string& token) {
    return has_bytes && is_byte_token(token) ? GgufTokenType::byte : GgufTokenType::normal;
  };
  const Json& vocab = model["vocab"];
  if (vocab.is_object()) {
    for (const auto& [token, id] : vocab.items()) {
      put(list, id.get<std::int64_t>(), token, type_of(token));
    }
    return;
  }
  for (std::size_t id = 0; id < vocab.size(); ++id) {  // Unigram: [token, score] by id
    const auto token = vocab[id][0].get<std::string>();
    put(list, static_cast<std::int64_t>(id), token, type_of(token));
  }
}

std::string with_spaces(std::string token) {
  for (std::size_t at = 0; (at = token.find(kMark, at)) != token.npos; ++at) {
    token.replace(at, kMark.size(), " ");
  }
  return token;
}

// Two ids of one text would end llama.cpp, which counts them.
void check_distinct(const TokenList& list) {
  std::unordered_map<std::string, std::size_t> seen;
  for (std::size_t id = 0; id < list.tokens.size(); ++id) {
    const auto [other, is_new] = seen.emplace(list.tokens[id], id);
    if (is_new) continue;
    throw Error("export --format gguf: tokens " + std::to_string(other->second) + " and " +
                std::to_string(id) + " are both '" + list.tokens[id] +
                "'; llama.cpp needs every token's text once");
  }
}

}  // namespace

std::vector<MergeTexts> merges_of(const Json& model) {
  std::vector<MergeTexts> merges;
  const auto found = model.find("merges");
  if (found == model.end()) return merges;
  for (const Json& merge : *found) {
    if (merge.is_array()) {
      merges.push_back({merge[0].get<std::string>(), merge[1].get<std::string>()});
      continue;
    }
    const auto text = merge.get<std::string>();
    const std::size_t space = text.find(' ', 1);
    if (space == text.npos) throw Error("export --format gguf: merge '" + text + "' is no pair");
    merges.push_back({text.substr(0, space), text.substr(space + 1)});
  }
  return merges;
}

std::vector<Json> steps_of(const Json& section, const char* sequence_key) {
  if (section.is_null()) return {};
  if (section.value("type", "") != "Sequence") return {section};
  std::vector<Json> steps;
  for (const Json& step : section.value(sequence_key, Json::array())) {
    for (Json& inner : steps_of(step, sequence_key)) steps.push_back(std::move(inner));
  }
  return steps;
}

TokenList token_list(const Tokenizer& tokenizer, const Json& json,
                     std::optional<std::int32_t> unknown, std::int64_t rows) {
  TokenList list;
  for (std::int64_t id = 0; id < rows; ++id) {
    list.tokens.push_back("[PAD" + std::to_string(id) + "]");
    list.types.push_back(static_cast<std::int32_t>(GgufTokenType::unused));
  }
  put_model_tokens(list, json["model"]);
  for (const Json& added : json.value("added_tokens", Json::array())) {
    const bool is_special = added.value("special", false);
    const auto content = added["content"].get<std::string>();
    // Hugging Face may count an added token otherwise than its file says.
    const std::int64_t id =
        tokenizer.token_to_id(content).value_or(added["id"].get<std::int32_t>());
    // llama.cpp looks for user-defined tokens in text whose spaces it has not marked yet.
    put(list, id, is_special ? content : with_spaces(content),
        is_special ? GgufTokenType::control : GgufTokenType::user_defined);
  }
  if (unknown && *unknown < rows) {
    list.types[*unknown] = static_cast<std::int32_t>(GgufTokenType::unknown);
  }
  check_distinct(list);
  return list;
}

}  // namespace plumb
