#include <algorithm>

#include "core/error.h"
#include "core/text/base64.h"
#include "core/text/convert.h"
#include "core/text/convert_parts.h"
#include "core/text/sentencepiece.h"

namespace plumb::text {

namespace {

using Algorithm = SentencePieceModel::Algorithm;

constexpr const char* kMarkText = "\xE2\x96\x81";
constexpr int kT5ExtraIds = 100;

// Names of the classes as tokenizer_config.json says them.
const char* class_name(TokenizerClass kind) {
  switch (kind) {
    case TokenizerClass::llama:
      return "LlamaTokenizer";
    case TokenizerClass::gemma:
      return "GemmaTokenizer";
    case TokenizerClass::t5:
      return "T5Tokenizer";
    default:
      return "PreTrainedTokenizerFast";
  }
}

struct Source {
  const SentencePieceModel& model;
  TokenizerClass kind;
  std::vector<std::string> tokens;
  std::vector<SpecialTokenEntry> added;
  std::string where;
};

bool is_among(const std::vector<SpecialTokenEntry>& added, std::string_view content) {
  return std::any_of(added.begin(), added.end(),
                     [&](const SpecialTokenEntry& entry) { return entry.content == content; });
}

// The tokens with names of their own in a class, then control and user-defined pieces.
void list_added(Source& source) {
  const SentencePieceModel& model = source.model;
  for (const std::int32_t id : {model.unk_id, model.bos_id, model.eos_id, model.pad_id}) {
    if (id < 0) continue;
    const std::string& content = source.tokens[static_cast<std::size_t>(id)];
    if (!is_among(source.added, content)) source.added.push_back({id, content, true});
  }
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePiece& piece = model.pieces[id];
    const bool is_control = piece.kind == SentencePiece::Kind::control;
    if (!is_control && piece.kind != SentencePiece::Kind::user_defined) continue;
    if (is_among(source.added, piece.text)) continue;
    // Gemma's class names one token more.
    const bool is_mask = source.kind == TokenizerClass::gemma && piece.text == "<mask>";
    source.added.push_back({static_cast<std::int64_t>(id), piece.text, is_control || is_mask});
  }
  for (std::size_t id = model.pieces.size(); id < source.tokens.size(); ++id) {
    source.added.push_back({static_cast<std::int64_t>(id), source.tokens[id], true});
  }
  std::sort(source.added.begin(), source.added.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
}

Json unigram_json(const Source& source) {
  Json vocab = Json::array();
  for (std::size_t i = 0; i < source.tokens.size(); ++i) {
    const bool is_piece = i < source.model.pieces.size();
    const double score = is_piece ? static_cast<double>(source.model.pieces[i].score) : 0.0;
    vocab.push_back({source.tokens[i], score});
  }
  Json model = {{"type", "Unigram"}, {"unk_id", nullptr}, {"vocab", std::move(vocab)}};
  if (source.model.unk_id >= 0) model["unk_id"] = source.model.unk_id;
  model["byte_fallback"] = source.kind != TokenizerClass::t5 && source.model.byte_fallback;
  return model;
}

Json model_json(const Source& source) {
  if (source.model.algorithm == Algorithm::unigram) return unigram_json(source);
  Json model = bpe_json(vocab_json(source.tokens),
                        implied_merges(source.tokens, PairOrder::by_left_length, source.where));
  const bool is_llama = source.kind == TokenizerClass::llama;
  if (!is_llama) model["unk_token"] = source.model.unk_piece;
  model["fuse_unk"] = true;
  model["byte_fallback"] = source.kind != TokenizerClass::generic || source.model.byte_fallback;
  return model;
}

Json replace_json(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

Json metaspace_json(const char* scheme, bool is_split) {
  return {{"type", "Metaspace"},
          {"replacement", kMarkText},
          {"prepend_scheme", scheme},
          {"split", is_split}};
}

Json charsmap_json(const std::string& charsmap) {
  return {{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(charsmap)}};
}

Json decoders_json(bool has_bytes, bool strips) {
  Json list = Json::array({replace_json(kMarkText, " ")});
  if (has_bytes) {
    list.push_back({{"type", "ByteFallback"}});
    list.push_back({{"type", "Fuse"}});
  }
  if (strips) list.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(list)}};
}

void shape_llama(Json& json) {
  json["pre_tokenizer"] = metaspace_json("first", false);
  json["decoder"] = decoders_json(true, true);
  json["post_processor"] = sequence_only();
}

void shape_gemma(Json& json) {
  json["normalizer"] = replace_json(" ", kMarkText);
  json["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"String", " "}}},
                           {"behavior", "MergedWithPrevious"},
                           {"invert", false}};
  json["decoder"] = decoders_json(true, false);
  json["post_processor"] = sequence_only();
}

void shape_t5(const SentencePieceModel& model, const std::string& where, Json& json) {
  if (model.eos_id < 0) throw Error(where + ": T5's tokenizer needs an end token (eos_id)");
  if (!model.charsmap.empty()) json["normalizer"] = charsmap_json(model.charsmap);
  json["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", Json::array({Json{{"type", "WhitespaceSplit"}},
                                                          metaspace_json("always", true)})}};
  json["decoder"] = metaspace_json("always", true);
  const std::string& eos = model.piece_or_empty(model.eos_id);
  const Json end = {{"SpecialToken", {{"id", eos}, {"type_id", 0}}}};
  const auto text = [](const char* id) { return Json{{"Sequence", {{"id", id}, {"type_id", 0}}}}; };
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", Json::array({text("A"), end})},
      {"pair", Json::array({text("A"), end, text("B"), end})},
      {"special_tokens",
       {{eos,
         {{"id", eos}, {"ids", Json::array({model.eos_id})}, {"tokens", Json::array({eos})}}}}}};
}

void shape_generic(const SentencePieceModel& model, Json& json) {
  Json normalizers = Json::array();
  if (!model.charsmap.empty()) normalizers.push_back(charsmap_json(model.charsmap));
  normalizers.push_back(replace_json(" ", kMarkText));
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
  json["decoder"] = decoders_json(model.byte_fallback, false);
  json["post_processor"] = sequence_only();
}

Json config_of(const Source& source) {
  const SentencePieceModel& model = source.model;
  Json config = {{"tokenizer_class", class_name(source.kind)}};
  const std::pair<const char*, std::int32_t> tokens[] = {{"bos_token", model.bos_id},
                                                         {"eos_token", model.eos_id},
                                                         {"unk_token", model.unk_id},
                                                         {"pad_token", model.pad_id}};
  for (const auto& [name, id] : tokens) {
    if (id >= 0) config[name] = model.piece_or_empty(id);
  }
  // As Llama's and Gemma's own code, which reads nothing but the model, encodes.
  const bool begins = source.kind == TokenizerClass::llama || source.kind == TokenizerClass::gemma;
  if (begins && model.bos_id >= 0) {
    config["add_bos_token"] = true;
    config["add_eos_token"] = false;
  }
  return config;
}

TokenizerClass class_of(const SentencePieceModel& model, std::optional<TokenizerClass> wanted,
                        const std::string& where) {
  const bool is_bpe = model.algorithm == Algorithm::bpe;
  if (!is_bpe && model.algorithm != Algorithm::unigram) {
    throw Error(where +
                ": SentencePiece models of words or characters are not supported, only "
                "BPE and Unigram");
  }
  const TokenizerClass usual = is_bpe ? TokenizerClass::llama : TokenizerClass::generic;
  const TokenizerClass kind = wanted.value_or(usual);
  const bool needs_bpe = kind == TokenizerClass::llama || kind == TokenizerClass::gemma;
  if ((needs_bpe && !is_bpe) || (kind == TokenizerClass::t5 && is_bpe)) {
    throw Error(where + ": tokenizer_class " + class_name(kind) + " needs a " +
                (needs_bpe ? "BPE" : "Unigram") + " model, and this is a " +
                (is_bpe ? "BPE" : "Unigram") +
                " one; correct tokenizer_class in tokenizer_config.json");
  }
  return kind;
}

}  // namespace

Converted convert_sentencepiece(std::string_view bytes, std::optional<TokenizerClass> wanted,
                                const std::string& where) {
  const SentencePieceModel model = parse_sentencepiece(bytes, where);
  Source source{model, class_of(model, wanted, where), {}, {}, where};
  for (const SentencePiece& piece : model.pieces) source.tokens.push_back(piece.text);
  if (source.kind == TokenizerClass::t5) {
    for (int i = kT5ExtraIds - 1; i >= 0; --i) {
      source.tokens.push_back("<extra_id_" + std::to_string(i) + ">");
    }
  }
  list_added(source);
  Json json = tokenizer_document(model_json(source), source.added);
  switch (source.kind) {
    case TokenizerClass::llama:
      shape_llama(json);
      break;
    case TokenizerClass::gemma:
      shape_gemma(json);
      break;
    case TokenizerClass::t5:
      shape_t5(model, where, json);
      break;
    default:
      shape_generic(model, json);
      break;
  }
  return {json.dump(), config_of(source)};
}

}  // namespace plumb::text
