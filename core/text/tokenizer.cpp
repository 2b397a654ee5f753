#include "core/text/tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/hash.h"
#include "core/text/tokenizer_parts.h"
#include "core/text/unicode.h"

namespace plumb {

namespace {

constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr const char* kSpecialMapFile = "special_tokens_map.json";
constexpr const char* kTemplateFile = "chat_template.jinja";

void encode_model(const TokenizerParts& parts, std::string text, text::TextPosition position,
                  std::vector<std::int32_t>& ids) {
  if (text.empty()) return;
  text::PieceList list;
  list.pieces.push_back({0, text.size(), position == text::TextPosition::start});
  list.text = std::move(text);
  list.is_continuation = position == text::TextPosition::continuation;
  text::pre_tokenize(parts.pre_tokenizer, list);
  std::visit(
      [&](const auto& model) {
        for (const text::Piece& piece : list.pieces) model.encode(list.view(piece), ids);
      },
      parts.model);
}

// What comes before `begin` decides: nothing, part of the same input, or an earlier text.
text::TextPosition position_at(std::size_t begin, text::TextPosition of_input) {
  const bool is_later = begin > 0 && of_input == text::TextPosition::start;
  return is_later ? text::TextPosition::later : of_input;
}

std::vector<std::int32_t> encode_text(const TokenizerParts& parts, std::string_view input,
                                      SpecialText special, text::TextPosition input_position) {
  std::string storage;
  const std::string_view valid = text::to_valid(input, storage);
  std::vector<std::int32_t> ids;
  for (const text::Segment& raw : parts.raw_finder->divide(valid, special)) {
    if (raw.id != text::kNoToken) {
      ids.push_back(raw.id);
      continue;
    }
    text::TextPosition position = position_at(raw.begin, input_position);
    const std::string normalized =
        text::normalize(parts.normalizer, valid.substr(raw.begin, raw.end - raw.begin), position);
    for (const text::Segment& segment : parts.normalized_finder->divide(normalized, special)) {
      if (segment.id != text::kNoToken) {
        ids.push_back(segment.id);
      } else {
        encode_model(parts, normalized.substr(segment.begin, segment.end - segment.begin),
                     position_at(segment.begin, position), ids);
      }
    }
  }
  return ids;
}

std::string read_if_there(const std::string& path) {
  return files::exists(path) ? files::read_file(path) : "";
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& folder) {
  const std::string base = folder.empty() || folder.back() == '/' ? folder : folder + "/";
  if (!files::exists(base + kTokenizerFile)) {
    throw Error(base + kTokenizerFile +
                " does not exist: the folder of a tokenizer holds one "
                "(Hugging Face's save_pretrained of a fast tokenizer writes it)");
  }
  const std::string json = files::read_file(base + kTokenizerFile);
  auto parts = parse_tokenizer(json, base + kTokenizerFile);
  const std::string special_map = read_if_there(base + kSpecialMapFile);
  apply_config(*parts, read_if_there(base + kConfigFile), special_map, base);
  if (!special_map.empty()) parts->other_files[kSpecialMapFile] = special_map;
  const std::string jinja = read_if_there(base + kTemplateFile);
  if (!jinja.empty()) {
    parts->other_files[kTemplateFile] = jinja;
    parts->jinja = jinja;
  }
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::from_json(std::string_view tokenizer_json,
                               std::string_view tokenizer_config_json, const std::string& source) {
  auto parts = parse_tokenizer(tokenizer_json, source);
  apply_config(*parts, tokenizer_config_json, "", source + ", ");
  return Tokenizer(std::move(parts));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  return text::fill_template(parts_->post_processor, encode_plain(text));
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
  const text::Template& pieces = parts_->post_processor;
  return {pieces.begin(), std::find(pieces.begin(), pieces.end(), text::kSequence)};
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, SpecialTokens special) const {
  StreamDecoder decoder(*this, special);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
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
  const TokenizerParts& parts = *tokenizer_.parts_;
  if (const text::AddedToken* added = find_added(parts, id)) {
    if (added->is_special && special_ == SpecialTokens::skip) return "";
    return stream_->push(added->matched_text);
  }
  const text::Vocab& vocab = model_vocab(parts);
  return vocab.has_id(id) ? stream_->push(vocab.token(id)) : "";
}

std::string StreamDecoder::finish() {
  return stream_->finish();
}

void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder) {
  const TokenizerParts& parts = *tokenizer.parts_;
  files::create_directories(folder);
  files::publish(folder + "/" + kTokenizerFile, parts.json);
  if (!parts.config.empty()) files::publish(folder + "/" + kConfigFile, parts.config);
  for (const auto& [name, bytes] : parts.other_files) files::publish(folder + "/" + name, bytes);
}

void save_tokenizer_as(const Tokenizer& tokenizer, const std::string& config,
                       const std::string& folder) {
  auto parts = std::make_shared<TokenizerParts>(*tokenizer.parts_);
  parts->config = config;
  parts->other_files.erase(kTemplateFile);
  save_tokenizer(Tokenizer(std::move(parts)), folder);
}

}  // namespace plumb
