#include "core/text/tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/hash.h"
#include "core/text/convert.h"
#include "core/text/encoder.h"
#include "core/text/unicode.h"

namespace plumb {

namespace {

constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kSpecialMapFile = "special_tokens_map.json";
constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr const char* kTemplateFolder = "additional_chat_templates";

std::vector<std::int32_t> encode_text(const TokenizerParts& parts, std::string_view text,
                                      SpecialText special, text::TextPosition position) {
  std::string storage;
  return text::encode_ids(parts, {text::to_valid(text, storage), special, position});
}

std::string read_if_there(const std::string& path) {
  return files::exists(path) ? files::read_file(path) : "";
}

void read_named_templates(TokenizerParts& parts, const std::string& base) {
  const std::filesystem::path folder = base + kTemplateFolder;
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    const std::string name = std::string(kTemplateFolder) + "/" + entry.path().filename().string();
    parts.other_files[name] = files::read_file(base + name);
  }
}

// What the decoder sees of an id; nothing for one that is skipped or unknown.
std::optional<std::string_view> decoded_token(const TokenizerParts& parts, std::int32_t id,
                                              SpecialTokens special) {
  if (const text::AddedToken* added = find_added(parts, id)) {
    if (added->is_special && special == SpecialTokens::skip) return std::nullopt;
    return added->matched_text;
  }
  const text::Vocab& vocab = model_vocab(parts);
  if (!vocab.has_id(id)) return std::nullopt;
  return vocab.token(id);
}

text::Converted convert(const std::string& base, const std::string& config) {
  auto converted = text::convert_folder(base, config);
  if (converted) return std::move(*converted);
  throw Error(base + kTokenizerFile +
              " does not exist, nor does a file that one can be made from: tokenizer.model or "
              "spiece.model (SentencePiece), a .tiktoken file, tekken.json, vocab.json with "
              "merges.txt; Hugging Face's save_pretrained writes the first");
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& folder) {
  const std::string base = folder.empty() || folder.back() == '/' ? folder : folder + "/";
  std::string config = read_if_there(base + kConfigFile);
  const std::string special_map = read_if_there(base + kSpecialMapFile);
  text::Converted source;
  if (files::exists(base + kTokenizerFile)) {
    source.json = files::read_file(base + kTokenizerFile);
  } else {
    source = convert(base, config);
    if (config.empty()) config = source.config.dump(2) + "\n";
  }
  auto parts = parse_tokenizer(source.json, base + kTokenizerFile);
  apply_config(*parts, config, special_map, base);
  name_missing_tokens(*parts, source.config);
  if (!special_map.empty()) parts->other_files[kSpecialMapFile] = special_map;
  const std::string jinja = read_if_there(base + kTemplateFile);
  if (!jinja.empty()) {
    parts->other_files[kTemplateFile] = jinja;
    parts->jinja = jinja;
  }
  read_named_templates(*parts, base);
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json,
                               std::string_view tokenizer_config_json, const std::string& source) {
  auto parts = parse_tokenizer(tokenizer_json, source);
  apply_config(*parts, tokenizer_config_json, "", source + ", ");
  return Tokenizer(std::move(parts));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  return text::fill_template(parts_->post_processor.pieces, encode_plain(text));
}

std::vector<TokenSpan> Tokenizer::encode_spans(std::string_view text) const {
  std::string storage;
  const std::string_view valid = text::to_valid(text, storage);
  const text::EncodeInput input{valid, SpecialText::recognised, text::TextPosition::start};
  return text::to_token_spans(*parts_, valid, text::encode_with_spans(*parts_, input));
}

std::vector<std::int32_t> Tokenizer::encode_plain(std::string_view text) const {
  return encode_text(*parts_, text, SpecialText::recognised, text::TextPosition::start);
}

std::vector<std::int32_t> Tokenizer::encode_literal(std::string_view text) const {
  return encode_text(*parts_, text, SpecialText::ordinary, text::TextPosition::start);
}

std::vector<std::int32_t> Tokenizer::encode_continuation(std::string_view text,
                                                         SpecialText special) const {
  return encode_text(*parts_, text, special, text::TextPosition::continuation);
}

std::vector<std::int32_t> Tokenizer::prefix_ids() const {
  const text::Template& pieces = parts_->post_processor.pieces;
  return {pieces.begin(), std::find(pieces.begin(), pieces.end(), text::kSequence)};
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, SpecialTokens special) const {
  std::vector<std::string_view> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    if (const auto token = decoded_token(*parts_, id, special)) tokens.push_back(*token);
  }
  return DecodeStream(parts_->decoder).all(tokens);
}

std::int64_t Tokenizer::vocab_size() const {
  return parts_->id_bound;
}

std::optional<std::int32_t> Tokenizer::bos_id() const {
  return parts_->bos;
}
std::optional<std::int32_t> Tokenizer::eos_id() const {
  return parts_->eos;
}
std::optional<std::int32_t> Tokenizer::pad_id() const {
  return parts_->pad;
}
std::optional<std::int32_t> Tokenizer::unk_id() const {
  return parts_->unk;
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const std::int32_t id = find_id(*parts_, token);
  return id == text::kNoToken ? std::nullopt : std::optional<std::int32_t>(id);
}

std::string Tokenizer::id_to_token(std::int32_t id) const {
  const text::AddedToken* added = find_added(*parts_, id);
  return added ? added->content : model_vocab(*parts_).token(id);
}

bool Tokenizer::is_special(std::int32_t id) const {
  const text::AddedToken* added = find_added(*parts_, id);
  return added && added->is_special;
}

const std::string& Tokenizer::json() const {
  return parts_->json;
}
const std::string& Tokenizer::config() const {
  return parts_->config;
}
std::string Tokenizer::jinja_template() const {
  return parts_->jinja;
}

std::vector<std::pair<std::string, std::string>> Tokenizer::template_files() const {
  std::vector<std::pair<std::string, std::string>> templates;
  for (const auto& [name, bytes] : parts_->other_files) {
    if (name == kTemplateFile) templates.emplace_back("default", bytes);
    if (!name.starts_with(kTemplateFolder)) continue;
    templates.emplace_back(std::filesystem::path(name).stem().string(), bytes);
  }
  return templates;
}

std::string Tokenizer::hash() const {
  return Hasher().update(parts_->json).update("\0", 1).update(parts_->config).hex();
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, SpecialTokens special)
    : tokenizer_(tokenizer),
      special_(special),
      stream_(std::make_unique<DecodeStream>(tokenizer_.parts_->decoder)) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(std::int32_t id) {
  const auto token = decoded_token(*tokenizer_.parts_, id, special_);
  return token ? stream_->push(*token) : "";
}

std::string StreamDecoder::finish() {
  return stream_->finish();
}

void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder) {
  const TokenizerParts& parts = *tokenizer.parts_;
  files::create_directories(folder);
  files::publish(folder + "/" + kTokenizerFile, parts.json);
  if (!parts.config.empty()) files::publish(folder + "/" + kConfigFile, parts.config);
  for (const auto& [name, bytes] : parts.other_files) {
    if (name.starts_with(kTemplateFolder))
      files::create_directories(folder + "/" + kTemplateFolder);
    files::publish(folder + "/" + name, bytes);
  }
}

Tokenizer with_chat_template(const Tokenizer& tokenizer, const std::string& jinja) {
  auto parts = std::make_shared<TokenizerParts>(*tokenizer.parts_);
  Json config = parts->config.empty() ? Json::object() : parse_json(parts->config, kConfigFile);
  config["chat_template"] = jinja;
  parts->config = config.dump(2) + "\n";
  parts->jinja = jinja;
  std::erase_if(parts->other_files, [](const auto& file) {
    return file.first == kTemplateFile || file.first.starts_with(kTemplateFolder);
  });
  return Tokenizer(std::move(parts));
}

}  // namespace plumb
