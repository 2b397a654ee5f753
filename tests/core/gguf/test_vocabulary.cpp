#include "core/gguf/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json added(std::int64_t id, const std::string& content, bool is_special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", is_special}};
}

// A small SentencePiece-style tokenizer: <unk> <s> </s>, two bytes, letters, and merges.
Json sentencepiece() {
  Json json = parse_json(R"({"version": "1.0", "truncation": null, "padding": null,
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null,
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
    "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
      "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, "a": 4, "b": 5, "c": 6, "ab": 7,
                "bc": 8, "abc": 9, "▁a": 10},
      "merges": ["a b", "b c", "ab c", "a bc", "▁ a"]}})",
                         "test");
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    json["model"]["vocab"][name] = 11 + byte;
  }
  json["added_tokens"] = Json::array({added(0, "<unk>", true), added(1, "<s>", true),
                                      added(2, "</s>", true), added(267, "▁hi▁", false)});
  return json;
}

constexpr const char* kConfig =
    R"({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "chat_template": "{{ x }}"})";

GgufMetadata metadata_of(const Json& json, VocabularyNeeds needs, const std::string& config) {
  return vocabulary_metadata(Tokenizer::from_json(json.dump(), config, "test"), needs);
}

template <class T>
T value(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue* found = find_value(metadata, key);
  if (found == nullptr || !std::holds_alternative<T>(*found)) {
    ADD_FAILURE() << key << " is missing or of another type";
    return T{};
  }
  return std::get<T>(*found);
}

TEST(GgufVocabulary, SentencePieceHasScoresBytesAndTypes) {
  const auto metadata = metadata_of(sentencepiece(), {.rows = 270}, kConfig);
  EXPECT_EQ(value<std::string>(metadata, "tokenizer.ggml.model"), "llama");
  const auto tokens = value<std::vector<std::string>>(metadata, "tokenizer.ggml.tokens");
  const auto types = value<std::vector<std::int32_t>>(metadata, "tokenizer.ggml.token_type");
  const auto scores = value<std::vector<float>>(metadata, "tokenizer.ggml.scores");
  ASSERT_EQ(tokens.size(), 270U);
  EXPECT_EQ(tokens[10], "▁a");
  EXPECT_EQ(tokens[21], "<0x0A>");
  EXPECT_EQ(tokens[267], " hi ");  // of user-defined tokens llama.cpp wants the text itself
  EXPECT_EQ(tokens[269], "[PAD269]");
  EXPECT_EQ(types[0], 2);
  EXPECT_EQ(types[1], 3);
  EXPECT_EQ(types[4], 1);
  EXPECT_EQ(types[21], 6);
  EXPECT_EQ(types[267], 4);
  EXPECT_EQ(types[269], 5);
  EXPECT_GT(scores[7], scores[8]);   // ab before bc
  EXPECT_GT(scores[8], scores[9]);   // before abc
  EXPECT_GT(scores[9], scores[10]);  // before ▁a
  EXPECT_GT(scores[10], scores[4]);  // which is never made
  EXPECT_TRUE(value<bool>(metadata, "tokenizer.ggml.add_space_prefix"));
  EXPECT_TRUE(value<bool>(metadata, "tokenizer.ggml.add_bos_token"));
  EXPECT_FALSE(value<bool>(metadata, "tokenizer.ggml.add_eos_token"));
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.bos_token_id"), 1U);
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.eos_token_id"), 2U);
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.unknown_token_id"), 0U);
  EXPECT_EQ(value<std::string>(metadata, "tokenizer.chat_template"), "{{ x }}");
}

TEST(GgufVocabulary, StopsBecomeEndsOfTurnAndMessage) {
  const auto metadata = metadata_of(sentencepiece(), {.rows = 270, .stops = {2, 5, 6}}, kConfig);
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.eos_token_id"), 2U);
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.eot_token_id"), 5U);
  EXPECT_EQ(value<std::uint32_t>(metadata, "tokenizer.ggml.eom_token_id"), 6U);
  const auto bare = metadata_of(sentencepiece(), {.rows = 270, .bos = 1, .eos = 4}, "{}");
  EXPECT_EQ(value<std::uint32_t>(bare, "tokenizer.ggml.eos_token_id"), 4U);
}

std::string refusal_of(const Json& json, VocabularyNeeds needs = {.rows = 270}) {
  return error_of([&] { metadata_of(json, needs, kConfig); });
}

TEST(GgufVocabulary, MergesThatNoScoresExpressAreRefused) {
  Json split = sentencepiece();  // abc's merges with another's between
  split["model"]["merges"] = {"a b", "b c", "ab c", "▁ a", "a bc"};
  EXPECT_THAT(refusal_of(split), HasSubstr("with others between"));
  Json missing = sentencepiece();  // llama.cpp would join a + bc
  missing["model"]["merges"] = {"a b", "b c", "ab c", "▁ a"};
  EXPECT_THAT(refusal_of(missing), HasSubstr("'abc' can be joined"));
}

TEST(GgufVocabulary, WhatLlamaCppCannotKeepIsRefused) {
  EXPECT_THAT(refusal_of(sentencepiece(), {.rows = 100}), HasSubstr("embedding has 100 rows"));
  Json twice = sentencepiece();
  twice["added_tokens"].push_back(added(268, "[PAD269]", false));
  EXPECT_THAT(refusal_of(twice), HasSubstr("are both '[PAD269]'"));
  Json lower = sentencepiece();
  lower["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_THAT(refusal_of(lower), HasSubstr("normalizer 'Lowercase'"));
  Json words = sentencepiece();
  words["model"] = {{"type", "WordLevel"},
                    {"unk_token", "<unk>"},
                    {"vocab", {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}, {"a", 3}}}};
  EXPECT_THAT(refusal_of(words), HasSubstr("no vocabulary for a WordLevel"));
}

// ---- byte-level BPE ----

Json byte_level(const Json& pre_tokenizer, bool ignores_merges = false) {
  Json json = parse_json(R"({"version": "1.0", "normalizer": null, "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"<e>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4, "Ġa": 5},
              "merges": [["a", "b"], ["Ġ", "a"]]}})",
                         "test");
  json["added_tokens"] = Json::array({added(0, "<e>", true)});
  json["pre_tokenizer"] = pre_tokenizer;
  json["model"]["ignore_merges"] = ignores_merges;
  return json;
}

Json byte_step(bool uses_regex, bool puts_space = false) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", puts_space},
          {"trim_offsets", true},
          {"use_regex", uses_regex}};
}

Json split_step(const std::string& regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", regex}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json sequence(const Json& steps) {
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

TEST(GgufVocabulary, ByteLevelKeepsItsMerges) {
  const auto metadata =
      metadata_of(byte_level(byte_step(true)), {.rows = 6}, R"({"eos_token": "<e>"})");
  EXPECT_EQ(value<std::string>(metadata, "tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(value<std::string>(metadata, "tokenizer.ggml.pre"), "gpt-2");
  EXPECT_THAT(value<std::vector<std::string>>(metadata, "tokenizer.ggml.merges"),
              ElementsAre("a b", "Ġ a"));
  EXPECT_FALSE(value<bool>(metadata, "tokenizer.ggml.add_bos_token"));
}

TEST(GgufPreTokenizer, FamiliesHaveTheirNames) {
  const std::string llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const std::string qwen2 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const auto name_of = [](const Json& json) { return gguf_pre_tokenizer(json, "tokenizer.json"); };
  EXPECT_EQ(name_of(byte_level(sequence({digits, byte_step(true)}))), "smollm");
  EXPECT_EQ(name_of(byte_level(sequence({split_step(llama3), byte_step(false)}), true)),
            "llama-bpe");
  EXPECT_EQ(name_of(byte_level(sequence({split_step(llama3), byte_step(false)}))), "dbrx");
  EXPECT_EQ(name_of(byte_level(sequence({split_step(qwen2), byte_step(false)}))), "qwen2");
}

TEST(GgufPreTokenizer, AnUnknownOneIsRefusedWithWhatToDo) {
  for (const Json& json : {byte_level(byte_step(true, true)), byte_level(split_step("[a-z]+")),
                           byte_level(nullptr), byte_level(byte_step(true), true)}) {
    const auto message = error_of([&] { gguf_pre_tokenizer(json, "tokenizer.json"); });
    EXPECT_THAT(message, HasSubstr("tokenizer.json: pre_tokenizer"));
    EXPECT_THAT(message, HasSubstr("core/gguf/pre_tokenizer.cpp"));
  }
}

}  // namespace
}  // namespace plumb
