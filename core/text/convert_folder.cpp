#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/io/files.h"
#include "core/text/byte_level.h"
#include "core/text/convert.h"
#include "core/text/json_view.h"
#include "core/text/known_patterns.h"

namespace plumb::text {

namespace {

constexpr std::size_t kLlama3Ranks = 128000;
constexpr std::int64_t kMaxPlaceholders = 1 << 16;

// The patterns of the encodings that tiktoken itself names; others are as Llama 3's.
struct NamedPattern {
  std::string_view file;
  std::string_view pattern;
};
constexpr NamedPattern kTiktokenFiles[] = {
    {"tokenizer.model", kLlama3Pattern},    {"tiktoken.model", kLlama3Pattern},
    {"qwen.tiktoken", kQwen2Pattern},       {"cl100k_base.tiktoken", kLlama3Pattern},
    {"o200k_base.tiktoken", kO200kPattern}, {"p50k_base.tiktoken", kGpt2Pattern},
    {"r50k_base.tiktoken", kGpt2Pattern},
};

// Of tokenizer_config.json's tokenizer_class, with or without "Fast", or else of config.json's
// model_type.
std::optional<TokenizerClass> class_of_folder(const std::string& base, const Json& config) {
  static const std::pair<const char*, TokenizerClass> classes[] = {
      {"LlamaTokenizer", TokenizerClass::llama},
      {"CodeLlamaTokenizer", TokenizerClass::llama},
      {"GemmaTokenizer", TokenizerClass::gemma},
      {"T5Tokenizer", TokenizerClass::t5},
      {"GPT2Tokenizer", TokenizerClass::gpt2},
      {"Qwen2Tokenizer", TokenizerClass::qwen2},
      {"BertTokenizer", TokenizerClass::bert},
      {"PreTrainedTokenizer", TokenizerClass::generic},
      {"TokenizersBackend", TokenizerClass::generic}};
  static const std::pair<const char*, TokenizerClass> families[] = {
      {"gemma", TokenizerClass::gemma},
      {"t5", TokenizerClass::t5},
      {"qwen", TokenizerClass::qwen2},
      {"llama", TokenizerClass::llama},
      {"mistral", TokenizerClass::llama}};
  std::string name =
      JsonView(config, base + "tokenizer_config.json: ").string_or("tokenizer_class", "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  for (const auto& [known, kind] : classes) {
    if (name == known) return kind;
  }
  const std::string path = base + "config.json";
  if (!files::exists(path)) return std::nullopt;
  const Json model = read_json(path);
  const std::string type = JsonView(model, path + ": ").string_or("model_type", "");
  for (const auto& [start, kind] : families) {
    if (type.starts_with(start)) return kind;
  }
  return std::nullopt;
}

// The tokens that follow the ranks: those of the config, with placeholders in the gaps between
// their ids as transformers puts them.
std::vector<std::string> special_after(std::size_t ranks, const JsonView& config) {
  std::map<std::int64_t, std::string> by_id;
  if (config.has("added_tokens_decoder")) {
    const JsonView decoder = config["added_tokens_decoder"];
    if (!decoder.json().is_object()) decoder.fail("expected an object of ids and tokens");
    for (const auto& [key, value] : decoder.json().items()) {
      const JsonView token = decoder[key];
      const Json id = Json::parse(key, nullptr, false);
      const std::int64_t number = JsonView(id, token.where()).integer(0, (1LL << 31) - 2);
      by_id[number] = value.is_object() ? token["content"].string() : token.string();
    }
  }
  std::vector<std::string> special;
  const auto first = static_cast<std::int64_t>(ranks);
  if (!by_id.empty()) {
    const std::int64_t last = by_id.rbegin()->first;
    if (last - first > kMaxPlaceholders) {
      config["added_tokens_decoder"].fail("ids leave a gap of more than 65536 after the ranks");
    }
    for (std::int64_t id = first; id <= last; ++id) {
      const auto found = by_id.find(id);
      special.push_back(found != by_id.end() ? found->second
                                             : "<|reserved_token_" + std::to_string(id) + "|>");
    }
  }
  return special;
}

// Llama 3.1's, which Meta's own folder has nowhere: its code holds them.
std::vector<std::string> llama3_special() {
  std::vector<std::string> special = {"<|begin_of_text|>",
                                      "<|end_of_text|>",
                                      "<|reserved_special_token_0|>",
                                      "<|reserved_special_token_1|>",
                                      "<|finetune_right_pad_id|>",
                                      "<|reserved_special_token_2|>",
                                      "<|start_header_id|>",
                                      "<|end_header_id|>",
                                      "<|eom_id|>",
                                      "<|eot_id|>",
                                      "<|python_tag|>"};
  for (int i = 3; special.size() < 256; ++i) {
    special.push_back("<|reserved_special_token_" + std::to_string(i) + "|>");
  }
  return special;
}

Converted convert_ranks(std::string_view file, std::string_view pattern, const Json& config,
                        const std::string& where) {
  const auto lines = static_cast<std::size_t>(std::count(file.begin(), file.end(), '\n')) +
                     (file.ends_with('\n') ? 0 : 1);
  TiktokenOptions options;
  options.pattern = pattern;
  options.special = special_after(lines, JsonView(config, "tokenizer_config.json: "));
  const bool is_llama3 = options.special.empty() && config.empty() && lines == kLlama3Ranks;
  if (is_llama3) options.special = llama3_special();
  Converted out = convert_tiktoken(file, options, where);
  if (is_llama3) {
    out.config["bos_token"] = "<|begin_of_text|>";
    out.config["eos_token"] = "<|end_of_text|>";
    out.config["add_bos_token"] = true;
  }
  return out;
}

std::optional<Converted> convert_vocab_files(const std::string& base,
                                             std::optional<TokenizerClass> wanted,
                                             const Json& config) {
  for (const auto& [vocab, merges] :
       {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    if (!files::exists(base + vocab) || !files::exists(base + merges)) continue;
    const bool is_qwen = wanted == TokenizerClass::qwen2;
    return convert_vocab_and_merges(files::read_file(base + vocab), files::read_file(base + merges),
                                    is_qwen ? TokenizerClass::qwen2 : TokenizerClass::gpt2,
                                    base + vocab);
  }
  const bool is_bert = wanted == TokenizerClass::bert || config.empty();
  const std::string list = base + "vocab.txt";
  if (is_bert && files::exists(list)) {
    return convert_word_list(files::read_file(list), config, list);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Converted> convert_folder(const std::string& base, std::string_view config_text) {
  const std::string config_path = base + "tokenizer_config.json";
  const Json config =
      config_text.empty() ? Json(Json::object()) : parse_json(config_text, config_path);
  if (!config.is_object()) throw Error(config_path + ": expected an object");
  const std::optional<TokenizerClass> wanted = class_of_folder(base, config);
  if (files::exists(base + "tekken.json")) {
    return convert_tekken(files::read_file(base + "tekken.json"), base + "tekken.json");
  }
  for (const char* name : {"spiece.model", "tokenizer.model"}) {
    const std::string path = base + name;
    if (!files::exists(path)) continue;
    const std::string bytes = files::read_file(path);
    if (!is_tiktoken(bytes)) return convert_sentencepiece(bytes, wanted, path);
  }
  for (const NamedPattern& known : kTiktokenFiles) {
    const std::string path = base + std::string(known.file);
    if (!files::exists(path)) continue;
    return convert_ranks(files::read_file(path), known.pattern, config, path);
  }
  return convert_vocab_files(base, wanted, config);
}

}  // namespace plumb::text
