// The 12 hostile kinds of tokenizer.json, each by its name; the first four of them and the patterns
// make Hugging Face's library panic. More of each: test_tokenizer_hostile.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json.h"
#include "core/text/tokenizer.h"
#include "tests/core/io/in_time.h"

namespace plumb {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

Json valid() {
  return parse_json(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 5, "content": "<s>", "single_word": false, "lstrip": false,
                      "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "<unk>": 4},
              "merges": [["a", "b"]], "unk_token": "<unk>"}})",
                    "valid");
}

std::string refusal(const std::string& text) {
  return error_in_time([&] { Tokenizer::from_json(text, "", "t.json"); });
}

std::string refusal(const Json& json) {
  return refusal(json.dump());
}

void expect_refused(const Json& json, const std::string& said) {
  EXPECT_THAT(refusal(json), HasSubstr("t.json"));
  EXPECT_THAT(refusal(json), HasSubstr(said));
}

TEST(HostileTokenizers, Z00_AGoodOneIsTaken) {
  EXPECT_EQ(refusal(valid()), "");
}

TEST(HostileTokenizers, Z01_IdsBeyondAnyVocabulary) {
  for (const char* id : {"4294967296", "-1", "1000000000", "18446744073709551616"}) {
    Json json = valid();
    json["model"]["vocab"]["c"] = Json::parse(id);
    expect_refused(json, "model.vocab['c']");
  }
  Json json = valid();
  for (const char* id : {"4294967296", "-1", "18446744073709551616"}) {
    json["added_tokens"][0]["id"] = Json::parse(id);
    expect_refused(json, "added_tokens[0].id");
  }
  // Counted on from the vocabulary, whatever the file says, as Hugging Face does.
  json["added_tokens"][0]["id"] = 1'000'000'000;
  EXPECT_EQ(Tokenizer::from_json(json.dump(), "", "t").vocab_size(), 6);
}

TEST(HostileTokenizers, Z02_OneIdTwice) {
  Json json = valid();
  json["model"]["vocab"]["c"] = 1;
  expect_refused(json, "id 1 is given to both");
}

TEST(HostileTokenizers, Z03_AMergeWithoutItsResult) {
  Json json = valid();
  json["model"]["merges"] = Json::array({Json::array({"a", "c"})});
  expect_refused(json, "model.merges[0]");
}

TEST(HostileTokenizers, Z04_ATemplateWithoutItsToken) {
  Json json = valid();
  json["post_processor"] = {{"type", "TemplateProcessing"},
                            {"pair", Json::array()},
                            {"special_tokens", Json::object()},
                            {"single", {{{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}}}}};
  expect_refused(json, "special_tokens does not define");
}

TEST(HostileTokenizers, Z05_AJunkCharsmap) {
  for (const char* map : {"AAAA", "/////w==", "AAAAAA==", "BAAAAAAAAAA=", "!", "A",
                          "AQAAAAA=", "AAQAAP////////////////////8="}) {
    Json json = valid();
    json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", map}};
    EXPECT_THAT(error_in_time([&] {
                  Tokenizer::from_json(json.dump(), "", "t.json").encode("a\xCC\x81 \xEF\xBD\xB6");
                }),
                AnyOf("", HasSubstr("charsmap")))
        << map;
  }
  Json json = valid();
  json["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", 7}};
  expect_refused(json, "precompiled_charsmap");
}

TEST(HostileTokenizers, Z06_APatternThatBacktracks) {
  Json json = valid();
  json["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"Regex", "(a+)+$"}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const Tokenizer tokenizer = Tokenizer::from_json(json.dump(), "", "t.json");
  EXPECT_THAT(error_in_time([&] { tokenizer.encode(std::string(5000, 'a') + "!"); }),
              HasSubstr("backtracks without bound"));
}

TEST(HostileTokenizers, Z07_AnEmptyAddedToken) {
  Json json = valid();
  json["added_tokens"][0]["content"] = "";
  expect_refused(json, "empty");
}

TEST(HostileTokenizers, Z08_NormalizersFiveThousandDeep) {
  std::string nested = R"({"type":"Lowercase"})";
  for (int i = 0; i < 5000; ++i) nested = R"({"type":"Sequence","normalizers":[)" + nested + "]}";
  std::string text = valid().dump();
  const std::string empty = "\"normalizer\":null";
  text.replace(text.find(empty), empty.size(), "\"normalizer\":" + nested);
  EXPECT_THAT(refusal(text), HasSubstr("nested deeper"));
}

TEST(HostileTokenizers, Z09_OneTokenTwice) {
  std::string text = valid().dump();
  text.replace(text.find("\"b\":1"), 5, "\"a\":1");
  EXPECT_THAT(refusal(text), HasSubstr("duplicate key 'a'"));
}

// Plumb truncates and pads by its own options: these sections are not used, whatever they say.
TEST(HostileTokenizers, Z10_TruncationToNothing) {
  Json json = valid();
  json["truncation"] = {
      {"max_length", 0}, {"stride", 7}, {"strategy", "LongestFirst"}, {"direction", "Right"}};
  ASSERT_EQ(refusal(json), "");
  EXPECT_EQ(Tokenizer::from_json(json.dump(), "", "t").encode("abc").size(), 2u);
}

TEST(HostileTokenizers, Z11_PaddingToAMultipleOfNothing) {
  Json json = valid();
  json["padding"] = {
      {"strategy", "BatchLongest"}, {"pad_to_multiple_of", 0}, {"pad_id", 99},
      {"direction", "Right"},       {"pad_type_id", 0},        {"pad_token", "<none>"}};
  ASSERT_EQ(refusal(json), "");
  EXPECT_EQ(Tokenizer::from_json(json.dump(), "", "t").encode("abc").size(), 2u);
}

TEST(HostileTokenizers, Z12_AnEmptyPatternToReplace) {
  Json json = valid();
  json["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", ""}}}, {"content", "x"}};
  expect_refused(json, "empty pattern");
  json["normalizer"]["pattern"] = {{"Regex", ""}};
  expect_refused(json, "empty pattern");
}

// tokenizer.model: a protocol buffer of a stranger.
TEST(HostileTokenizers, SentencePieceFilesThatAreNone) {
  const TempFolder folder;
  for (const std::string& bytes :
       {std::string(), std::string("\0", 1), std::string("\x0a\xff\xff\xff\xff\x0f", 6),
        std::string("\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12),
        std::string("\x0a\x03\x0a\x05"
                    "a",
                    5),
        std::string("\x0a\x05\x0a\x01\xff\x15\0", 7), std::string("\x08\x96\x01", 3),
        std::string(1000, '\x0a'), std::string(1000, '\xff')}) {
    folder.put("tokenizer.model", bytes);
    EXPECT_THAT(error_in_time([&] { Tokenizer::load(folder.path()); }),
                HasSubstr("tokenizer.model"))
        << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace plumb
