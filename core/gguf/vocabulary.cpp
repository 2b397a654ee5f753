#include "core/gguf/vocabulary.h"

#include <algorithm>

#include "core/error.h"
#include "core/gguf/vocabulary_parts.h"
#include "core/log.h"

namespace plumb {
namespace {

constexpr const char* kSource = "tokenizer.json";
constexpr std::string_view kMark = "\xE2\x96\x81";

void put(GgufMetadata& metadata, const char* key, GgufValue value) {
  metadata.emplace_back(std::string("tokenizer.ggml.") + key, std::move(value));
}

void put_id(GgufMetadata& metadata, const char* key, std::optional<std::int32_t> id) {
  if (id) put(metadata, key, static_cast<std::uint32_t>(*id));
}

void refuse_step(const char* section, const Json& step) {
  throw Error(
      std::string(kSource) + ": " + section + " '" + step.value("type", "?") +
      "' has no counterpart in llama.cpp's vocabulary of this kind, whose ids would differ; "
      "export with --format hf");
}

// ---- "llama": SentencePiece's BPE ----

void check_spaces_only(const Json& tokenizer) {
  for (const Json& step : steps_of(tokenizer.value("normalizer", Json()), "normalizers")) {
    const std::string type = step.value("type", "");
    const bool marks_spaces = type == "Replace" &&
                              step.value("pattern", Json()) == Json{{"String", " "}} &&
                              step.value("content", "") == kMark;
    const bool marks_start = type == "Prepend" && step.value("prepend", "") == kMark;
    if (!marks_spaces && !marks_start) refuse_step("normalizer", step);
  }
  for (const Json& step : steps_of(tokenizer.value("pre_tokenizer", Json()), "pretokenizers")) {
    const std::string type = step.value("type", "");
    // Gemma's file also splits at spaces, of which its normalizer has left none.
    const bool is_idle = type == "Split" && step.value("pattern", Json()) == Json{{"String", " "}};
    if (type != "Metaspace" && !is_idle) refuse_step("pre_tokenizer", step);
  }
}

bool puts_a_space_before(const Tokenizer& tokenizer) {
  const auto ids = tokenizer.encode_plain("a");
  return !ids.empty() && tokenizer.id_to_token(ids.front()).starts_with(kMark);
}

void put_sentencepiece(GgufMetadata& metadata, const Tokenizer& tokenizer, const Json& json,
                       const TokenList& list) {
  check_spaces_only(json);
  put(metadata, "model", std::string("llama"));
  put(metadata, "pre", std::string("default"));
  put(metadata, "tokens", list.tokens);
  put(metadata, "scores", scores_of_merges(json["model"], list));
  put(metadata, "token_type", list.types);
  put(metadata, "add_space_prefix", puts_a_space_before(tokenizer));
}

// ---- "gpt2": byte-level BPE ----

// A space within a merge's half would be taken for the one between: written as byte-level writes
// it.
std::string without_space(std::string part) {
  for (std::size_t at = 0; (at = part.find(' ', at)) != part.npos;) part.replace(at, 1, "\xC4\xA0");
  return part;
}

void put_byte_level(GgufMetadata& metadata, const Json& json, const TokenList& list) {
  for (const Json& step : steps_of(json.value("normalizer", Json()), "normalizers")) {
    // llama.cpp takes text as it comes; text is nearly always composed already.
    if (step.value("type", "") != "NFC") refuse_step("normalizer", step);
  }
  std::vector<std::string> merges;
  for (const MergeTexts& merge : merges_of(json["model"])) {
    merges.push_back(without_space(merge.left) + " " + without_space(merge.right));
  }
  put(metadata, "model", std::string("gpt2"));
  put(metadata, "pre", gguf_pre_tokenizer(json, kSource));
  put(metadata, "tokens", list.tokens);
  put(metadata, "token_type", list.types);
  put(metadata, "merges", std::move(merges));
}

// ---- "t5": Unigram ----

std::vector<std::uint8_t> from_base64(const std::string& text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos)
      throw Error(std::string(kSource) + ": precompiled_charsmap is no base64");
    held = (held << 6) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(held >> bits));
  }
  return bytes;
}

void put_unigram(GgufMetadata& metadata, const Tokenizer& tokenizer, const Json& json,
                 const TokenList& list) {
  std::vector<float> scores(list.tokens.size(), -10'000);  // of rows without a token
  const Json& vocab = json["model"]["vocab"];
  for (std::size_t id = 0; id < vocab.size(); ++id) scores[id] = vocab[id][1].get<float>();
  put(metadata, "model", std::string("t5"));
  put(metadata, "pre", std::string("default"));
  put(metadata, "tokens", list.tokens);
  put(metadata, "scores", std::move(scores));
  put(metadata, "token_type", list.types);
  put(metadata, "add_space_prefix", puts_a_space_before(tokenizer));
  // Runs of spaces become one, as in T5's own: "a  b" and "a b" have the same ids.
  put(metadata, "remove_extra_whitespaces",
      tokenizer.encode_plain("a  b") == tokenizer.encode_plain("a b"));
  for (const Json& step : steps_of(json.value("normalizer", Json()), "normalizers")) {
    const std::string type = step.value("type", "");
    if (type == "Precompiled") {
      put(metadata, "precompiled_charsmap",
          from_base64(step.value("precompiled_charsmap", std::string())));
    } else if (type != "Replace" && type != "Strip") {
      refuse_step("normalizer", step);
    }
  }
}

// ---- special tokens ----

struct Ends {
  std::optional<std::int32_t> eos, eot, eom;
};

// llama.cpp keeps three ends: of text, of turn and of message.
Ends ends_of(const Tokenizer& tokenizer, const VocabularyNeeds& needs) {
  Ends ends;
  ends.eos = tokenizer.eos_id() ? tokenizer.eos_id() : needs.eos;
  for (const std::int32_t id : needs.stops) {
    if (id == ends.eos) continue;
    if (!ends.eos) {
      ends.eos = id;
    } else if (!ends.eom && (ends.eot || tokenizer.id_to_token(id) == "<|eom_id|>")) {
      ends.eom = id;
    } else if (!ends.eot) {
      ends.eot = id;
    } else {
      log::warning("GGUF keeps three stop tokens; '" + tokenizer.id_to_token(id) + "' (" +
                   std::to_string(id) + ") stops llama.cpp only if it knows it by its text");
    }
  }
  if (!ends.eos) {
    log::warning(
        "neither tokenizer nor config names an end token: llama.cpp takes its own default");
  }
  return ends;
}

void put_special(GgufMetadata& metadata, const Tokenizer& tokenizer, const VocabularyNeeds& needs) {
  auto bos = tokenizer.bos_id() ? tokenizer.bos_id() : needs.bos;
  const auto prefix = tokenizer.prefix_ids();
  if (prefix.size() == 1 && !tokenizer.bos_id()) bos = prefix.front();
  const bool is_bos = prefix.empty() || (prefix.size() == 1 && prefix.front() == bos);
  const auto whole = tokenizer.encode("a"), plain = tokenizer.encode_plain("a");
  const std::size_t after = whole.size() - plain.size() - prefix.size();
  const Ends ends = ends_of(tokenizer, needs);
  if (!is_bos || after > 1 || (after == 1 && whole.back() != ends.eos)) {
    throw Error(std::string(kSource) +
                ": post_processor: llama.cpp puts a start token before a text "
                "and an end token after it, or not; this one adds others. Export with --format hf");
  }
  put_id(metadata, "bos_token_id", bos);
  put_id(metadata, "eos_token_id", ends.eos);
  put_id(metadata, "eot_token_id", ends.eot);
  put_id(metadata, "eom_token_id", ends.eom);
  put_id(metadata, "unknown_token_id", tokenizer.unk_id());
  put_id(metadata, "padding_token_id", tokenizer.pad_id());
  put(metadata, "add_bos_token", !prefix.empty());
  put(metadata, "add_eos_token", after == 1);
  const std::string chat = tokenizer.jinja_template();
  if (!chat.empty()) metadata.emplace_back("tokenizer.chat_template", chat);
}

}  // namespace

GgufMetadata vocabulary_metadata(const Tokenizer& tokenizer, const VocabularyNeeds& needs) {
  const Json json = parse_json(tokenizer.json(), kSource);
  const Json& model = json["model"];
  auto unknown = tokenizer.unk_id();
  if (!unknown && model.contains("unk_id") && model["unk_id"].is_number_integer()) {
    unknown = model["unk_id"].get<std::int32_t>();
  }
  const TokenList list = token_list(tokenizer, json, unknown, needs.rows);
  GgufMetadata metadata;
  const std::string type = model.value("type", model.contains("merges") ? "BPE" : "WordLevel");
  if (type == "BPE" && model.value("byte_fallback", false)) {
    put_sentencepiece(metadata, tokenizer, json, list);
  } else if (type == "BPE") {
    put_byte_level(metadata, json, list);
  } else if (type == "Unigram") {
    put_unigram(metadata, tokenizer, json, list);
  } else {
    throw Error(std::string(kSource) + ": llama.cpp has no vocabulary for a " + type +
                " tokenizer (BPE and Unigram have one); export with --format hf");
  }
  put_special(metadata, tokenizer, needs);
  return metadata;
}

}  // namespace plumb
