// Files that mean harm or are broken: an Error that names place and rule, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/io/json.h"
#include "core/text/tokenizer.h"

namespace plumb {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Json valid() {
  return parse_json(R"({
    "version": "1.0",
    "added_tokens": [{"id": 5, "content": "<s>", "single_word": false, "lstrip": false,
                      "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "<unk>": 4},
              "merges": ["a b"], "unk_token": "<unk>"}})",
                    "valid");
}

std::string error_of(const std::string& text) {
  try {
    Tokenizer::from_json(text, "", "t.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::bad_input);
    return error.what();
  }
  return "";
}

std::string error_of(const Json& json) {
  return error_of(json.dump());
}

TEST(HostileTokenizer, ValidOneLoads) {
  EXPECT_EQ(error_of(valid()), "");
}

TEST(HostileTokenizer, Ids) {
  for (const char* id :
       {"4294967296", "-1", "1000000000", "1.5", "\"1\"", "null", "18446744073709551615"}) {
    Json json = valid();
    json["model"]["vocab"]["c"] = Json::parse(id);
    EXPECT_THAT(error_of(json),
                AllOf(HasSubstr("t.json: model.vocab['c']"), HasSubstr("whole number")))
        << id;
  }
  Json json = valid();
  json["model"]["vocab"]["c"] = 1;
  EXPECT_THAT(error_of(json), HasSubstr("id 1 is given to both"));
  json = valid();
  json["model"]["vocab"]["c"] = 5;
  EXPECT_THAT(error_of(json), HasSubstr("each needs its own"));
  json = valid();
  json["added_tokens"][0]["id"] = -1;
  EXPECT_THAT(error_of(json), HasSubstr("added_tokens[0].id"));
}

TEST(HostileTokenizer, DuplicateKey) {
  std::string text = valid().dump();
  text.replace(text.find("\"b\":1"), 5, "\"a\":1");
  EXPECT_NE(error_of(text), "");
}

TEST(HostileTokenizer, Merges) {
  for (const char* merge : {"a c", "x a", "a x", "ab", "a b c", ""}) {
    Json json = valid();
    json["model"]["merges"] = Json::array({merge});
    EXPECT_THAT(error_of(json), HasSubstr("t.json: model.merges[0]")) << merge;
  }
  Json json = valid();
  json["model"]["merges"] = Json::array({Json::array({"a"})});
  EXPECT_THAT(error_of(json), HasSubstr("expected a pair"));
  json["model"]["merges"] = 3;
  EXPECT_THAT(error_of(json), HasSubstr("expected a list"));
  json["model"].erase("merges");
  EXPECT_THAT(error_of(json), HasSubstr("the key 'merges' is missing"));
  json = valid();
  json["model"]["dropout"] = 0.1;
  EXPECT_THAT(error_of(json), HasSubstr("dropout"));
  json = valid();
  json["model"]["continuing_subword_prefix"] = "##";
  EXPECT_THAT(error_of(json), HasSubstr("model.merges[0]"));
}

TEST(HostileTokenizer, Templates) {
  Json json = valid();
  json["post_processor"] = parse_json(
      R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}]})",
      "t");
  EXPECT_THAT(error_of(json), HasSubstr("special_tokens does not define"));
  json["post_processor"]["special_tokens"]["<s>"]["ids"] = Json::array({99});
  EXPECT_THAT(error_of(json), HasSubstr("from 0 to 5"));
  json["post_processor"]["single"] =
      parse_json(R"([{"Sequence": {"id": "B", "type_id": 0}}])", "t");
  EXPECT_THAT(error_of(json), HasSubstr("sequence A"));
  Json doubling = parse_json(R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
      "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]})",
                             "t");
  json["post_processor"] = {{"type", "Sequence"}, {"processors", Json::array()}};
  for (int i = 0; i < 60; ++i) json["post_processor"]["processors"].push_back(doubling);
  EXPECT_THAT(error_of(json), HasSubstr("more than 1024"));
}

TEST(HostileTokenizer, CatastrophicPattern) {
  Json json = valid();
  json["pre_tokenizer"] = {{"type", "Split"},
                           {"pattern", {{"Regex", "(a+)+$"}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const Tokenizer tokenizer = Tokenizer::from_json(json.dump(), "", "t.json");
  EXPECT_EQ(tokenizer.encode("aaa").size(), 3u);
  try {
    tokenizer.encode(std::string(40, 'a') + "!");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("backtracks without bound"));
  }
}

TEST(HostileTokenizer, Patterns) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "empty pattern"},
      {"(a", "not closed"},
      {"a)", "closes nothing"},
      {"[a", "ends too early"},
      {"\\", "ends too early"},
      {"\\p{Foo}", "\\p{Foo}"},
      {"\\pL", "braces"},
      {"\\1", "\\1 is not supported"},
      {"(?R)", "not supported"},
      {"a{2}{", "opens no"},
      {"a{1,2}+", "not supported"},
      {"\\x{110000}", "U+10FFFF"},
      {"[b-a]", "backwards"},
      {"[[:alpha:]]", "[:alpha:]"},
      {"a{5000}", "1000"},
      {"(?<=a+)b", "pattern"},
      {"*", "pattern"},
      {"(?i)\xC3\xA9", "ASCII"},
  };
  for (const auto& [pattern, message] : cases) {
    Json json = valid();
    json["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", pattern}}}, {"content", "x"}};
    EXPECT_THAT(error_of(json), AllOf(HasSubstr(message), HasSubstr("normalizer.pattern.Regex")))
        << pattern;
  }
  Json json = valid();
  json["normalizer"] = {{"type", "Replace"},
                        {"pattern", {{"Regex", std::string(300, '(') + std::string(300, ')')}}},
                        {"content", "x"}};
  EXPECT_THAT(error_of(json), HasSubstr("nested"));
  json["normalizer"]["pattern"] = {{"String", ""}};
  EXPECT_THAT(error_of(json), HasSubstr("empty pattern"));
}

TEST(HostileTokenizer, NestedSequences) {
  std::string nested = R"({"type":"Lowercase"})";
  for (int i = 0; i < 5000; ++i) nested = R"({"type":"Sequence","normalizers":[)" + nested + "]}";
  std::string text = valid().dump();
  const std::string empty = "\"normalizer\":null";
  text.replace(text.find(empty), empty.size(), "\"normalizer\":" + nested);
  EXPECT_NE(error_of(text), "");
}

TEST(HostileTokenizer, UnknownTypes) {
  for (const char* section :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}) {
    Json json = valid();
    json[section] = {{"type", "Quantum"}};
    EXPECT_THAT(error_of(json),
                AllOf(HasSubstr("'Quantum' is not supported (supported: "), HasSubstr(section)));
    json[section] = 7;
    EXPECT_NE(error_of(json), "") << section;
    json[section] = {{"type", 7}};
    EXPECT_NE(error_of(json), "") << section;
  }
}

TEST(HostileTokenizer, EmptyAddedToken) {
  Json json = valid();
  json["added_tokens"][0]["content"] = "";
  EXPECT_THAT(error_of(json), HasSubstr("empty"));
}

TEST(HostileTokenizer, TruncatedAnywhere) {
  const std::string text = valid().dump();
  for (std::size_t n = 0; n < text.size(); ++n) EXPECT_NE(error_of(text.substr(0, n)), "") << n;
}

TEST(HostileTokenizer, OtherModels) {
  const auto with_model = [](const char* model) {
    Json json = valid();
    json["added_tokens"] = Json::array();
    json["model"] = parse_json(model, "m");
    return error_of(json);
  };
  EXPECT_EQ(with_model(R"({"type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0]]})"), "");
  EXPECT_THAT(with_model(R"({"type": "Unigram", "unk_id": 1, "vocab": [["a", -1.0]]})"),
              HasSubstr("model.unk_id"));
  EXPECT_THAT(with_model(R"({"type": "Unigram", "unk_id": 0, "vocab": []})"),
              HasSubstr("model.unk_id"));
  EXPECT_THAT(with_model(R"({"type": "Unigram", "vocab": [["a"]]})"), HasSubstr("[token, score]"));
  EXPECT_THAT(with_model(R"({"type": "Unigram", "vocab": [["a", 1], ["a", 2]]})"),
              HasSubstr("two ids"));
  EXPECT_THAT(with_model(R"({"type": "WordPiece", "vocab": {"a": 0}})"), HasSubstr("unk_token"));
  EXPECT_THAT(with_model(R"({"type": "WordPiece", "unk_token": "a", "vocab": {"a": 0},
                             "max_input_chars_per_word": -1})"),
              HasSubstr("max_input_chars_per_word"));
  EXPECT_THAT(with_model(("{\"type\": \"WordPiece\", \"unk_token\": \"a\", \"vocab\": {\"" +
                          std::string(2000, 'a') + "\": 0}}")
                             .c_str()),
              HasSubstr("at most 1024"));
}

// No timing: these end at all, which anything quadratic would not within the test's patience.
TEST(HostileText, LongOnesAreLinear) {
  Json json = valid();
  const Tokenizer plain = Tokenizer::from_json(json.dump(), "", "t");
  EXPECT_EQ(plain.encode(std::string(2'000'000, 'a')).size(), 2'000'000u);
  json["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  const Tokenizer byte_level = Tokenizer::from_json(json.dump(), "", "t");
  EXPECT_FALSE(byte_level.encode(std::string(2'000'000, ' ')).empty());
  EXPECT_FALSE(byte_level.encode(std::string(2'000'000, '\xFF')).empty());
  std::string spaced;
  for (int i = 0; i < 300'000; ++i) spaced += "<s> ";
  EXPECT_EQ(plain.encode(spaced).size(), 600'000u);
}

// A megabyte of each sort of text that makes careless code quadratic, for each sort of model.
TEST(HostileText, OneMegabyteOfAnything) {
  const std::string patterns[] = {
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
  std::vector<Json> setups;
  for (const std::string& pattern : patterns) {
    Json json = valid();
    json["pre_tokenizer"] = {{"type", "Split"},
                             {"pattern", {{"Regex", pattern}}},
                             {"behavior", "Isolated"},
                             {"invert", false}};
    setups.push_back(json);
  }
  Json unigram = valid();
  unigram["added_tokens"] = Json::array();
  unigram["normalizer"] = {{"type", "NFKC"}};
  unigram["model"] = parse_json(
      R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["aa", -1.5]]})", "m");
  setups.push_back(unigram);
  Json words = valid();
  words["added_tokens"] = Json::array();
  words["normalizer"] = {{"type", "BertNormalizer"}};
  words["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  words["model"] = parse_json(R"({"type": "WordPiece", "unk_token": "a", "vocab": {"a": 0}})", "m");
  setups.push_back(words);
  for (const Json& setup : setups) {
    const Tokenizer tokenizer = Tokenizer::from_json(setup.dump(), "", "t");
    for (const char* unit :
         {"a", " ", "\n", "A", "1", "a\xCC\x81", "\xCC\x81", "' ", "\xE6\x97\xA5"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      const auto ids = tokenizer.encode_plain(text);
      EXPECT_EQ(tokenizer.encode_continuation(text, SpecialText::recognised).size(), ids.size());
    }
  }
}

}  // namespace
}  // namespace plumb
