#include <algorithm>

#include "core/error.h"
#include "core/text/convert.h"
#include "core/text/convert_parts.h"
#include "core/text/json_view.h"
#include "core/text/known_patterns.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

// "left right" a line; a first line "#version" and empty lines say nothing.
Json parse_merge_lines(std::string_view text, const std::string& where) {
  if (!is_valid_utf8(text)) throw Error(where + ": is not UTF-8");
  Json merges = Json::array();
  const std::vector<std::string_view> lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (line.empty() || line.starts_with("#version")) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      throw Error(where + ", line " + std::to_string(i + 1) +
                  ": expected two tokens with one space between, got '" +
                  std::string(line.substr(0, 60)) + "'");
    }
    merges.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  return merges;
}

struct NamedToken {
  const char* key;
  const char* usual;
};

}  // namespace

Converted convert_vocab_and_merges(std::string_view vocab, std::string_view merges,
                                   TokenizerClass wanted, const std::string& where) {
  Json tokens = parse_json(vocab, where);
  if (!tokens.is_object()) throw Error(where + ": expected an object of tokens and their ids");
  const auto end_of_text = tokens.find(kEndOfText);
  std::vector<SpecialTokenEntry> added;
  if (end_of_text != tokens.end() && end_of_text->is_number_unsigned()) {
    added.push_back({end_of_text->get<std::int64_t>(), kEndOfText, true});
  }
  Json model = bpe_json(std::move(tokens), parse_merge_lines(merges, where));
  model["continuing_subword_prefix"] = "";
  model["end_of_word_suffix"] = "";
  Json json = tokenizer_document(std::move(model), added);
  json["decoder"] = byte_level_section();
  json["post_processor"] = sequence_only();
  if (wanted == TokenizerClass::qwen2) {
    json["normalizer"] = {{"type", "NFC"}};
    json["pre_tokenizer"] = split_then_bytes(kQwen2Pattern);
    return {json.dump(),
            {{"tokenizer_class", "Qwen2Tokenizer"},
             {"unk_token", kEndOfText},
             {"eos_token", kEndOfText},
             {"pad_token", kEndOfText}}};
  }
  json["pre_tokenizer"] = byte_level_section();
  return {json.dump(),
          {{"tokenizer_class", "GPT2Tokenizer"},
           {"unk_token", kEndOfText},
           {"bos_token", kEndOfText},
           {"eos_token", kEndOfText}}};
}

Converted convert_word_list(std::string_view file, const Json& config, const std::string& where) {
  if (!is_valid_utf8(file)) throw Error(where + ": is not UTF-8");
  Json vocab = Json::object();
  auto& entries = vocab.get_ref<Json::object_t&>();
  for (const std::string_view line : lines_of(file)) {
    entries.emplace_back(std::string(line), entries.size());
  }
  const JsonView view(config, "tokenizer_config.json: ");
  Converted out;
  out.config = {{"tokenizer_class", "BertTokenizer"}};
  std::vector<SpecialTokenEntry> added;
  for (const NamedToken& token : {NamedToken{"unk_token", "[UNK]"},
                                  {"sep_token", "[SEP]"},
                                  {"pad_token", "[PAD]"},
                                  {"cls_token", "[CLS]"},
                                  {"mask_token", "[MASK]"}}) {
    const bool is_object = view.has(token.key) && view[token.key].json().is_object();
    const std::string content =
        is_object ? view[token.key]["content"].string() : view.string_or(token.key, token.usual);
    out.config[token.key] = content;
    const auto found = vocab.find(content);
    if (found != vocab.end()) added.push_back({found->get<std::int64_t>(), content, true});
  }
  std::sort(added.begin(), added.end(), [](auto& a, auto& b) { return a.id < b.id; });
  const std::string unk = out.config["unk_token"];
  Json json = tokenizer_document({{"type", "WordPiece"},
                                  {"unk_token", unk},
                                  {"continuing_subword_prefix", "##"},
                                  {"max_input_chars_per_word", 100}},
                                 added);
  json["normalizer"] = {{"type", "BertNormalizer"},
                        {"clean_text", true},
                        {"handle_chinese_chars", view.boolean_or("tokenize_chinese_chars", true)},
                        {"strip_accents", nullptr},
                        {"lowercase", view.boolean_or("do_lower_case", true)}};
  if (view.has("strip_accents")) {
    json["normalizer"]["strip_accents"] = view["strip_accents"].boolean();
  }
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  const std::string cls = out.config["cls_token"];
  const std::string sep = out.config["sep_token"];
  const auto cls_entry = vocab.find(cls);
  const auto sep_entry = vocab.find(sep);
  if (cls_entry != vocab.end() && sep_entry != vocab.end()) {
    json["post_processor"] = {{"type", "BertProcessing"},
                              {"sep", Json::array({sep, *sep_entry})},
                              {"cls", Json::array({cls, *cls_entry})}};
  }
  json["model"]["vocab"] = std::move(vocab);
  out.json = json.dump();
  return out;
}

}  // namespace plumb::text
