#include "core/io/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/utf8.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string problem(std::string_view text, const JsonLimits& limits = {}) {
  return error_of([&] { parse_json(text, "in.json", limits); });
}

TEST(Json, KeepsValuesAndOrder) {
  const std::string text =
      R"({"z":1,"a":[-2,3.5,true,null,"\u00e9\ud83d\ude00"],"m":{"b":{},"a":[]},"big":18446744073709551615})";
  EXPECT_EQ(
      parse_json(text, "in").dump(),
      R"({"z":1,"a":[-2,3.5,true,null,"é😀"],"m":{"b":{},"a":[]},"big":18446744073709551615})");
  EXPECT_EQ(parse_json(" 7\n", "in"), 7);
}

TEST(Json, ALargeObjectIsReadInOrderAndInTime) {
  std::string text = "{";
  constexpr int kKeys = 200'000;  // quadratic work would take minutes
  for (int i = 0; i < kKeys; ++i) {
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
  }
  const Json json = parse_json(text + "}", "in");
  ASSERT_EQ(json.size(), std::size_t{kKeys});
  int expected = 0;
  for (const auto& [key, value] : json.items()) ASSERT_EQ(value, expected++);
  EXPECT_THAT(problem(text + ",\"k77\":0}"), HasSubstr("duplicate key 'k77'"));
}

TEST(Json, DuplicateKeysAreErrorsHoweverTheyAreWritten) {
  EXPECT_THAT(problem(R"({"a":1,"a":2})"),
              AllOf(HasSubstr("in.json: byte 9"), HasSubstr("duplicate key 'a'")));
  EXPECT_THAT(problem(R"({"a":1,"\u0061":2})"), HasSubstr("duplicate key 'a'"));
  EXPECT_THAT(problem(R"([{"x":{"a":1,"b":2,"a":3}}])"), HasSubstr("duplicate key 'a'"));
  EXPECT_EQ(problem(R"({"a":{"a":1},"b":{"a":1}})"), "");
}

TEST(Json, WhatFollowsTheValueIsAnError) {
  EXPECT_THAT(problem("{} {}"), HasSubstr("byte 3"));
  EXPECT_THAT(problem("1 2"), HasSubstr("in.json"));
  EXPECT_THAT(problem(std::string_view("{}\0MZ", 5)), AllOf(HasSubstr("byte 2"), HasSubstr("NUL")));
  EXPECT_THAT(problem("{}\n \t\r\n"), "");
}

TEST(Json, MalformedTextNamesTheByteAndLine) {
  EXPECT_THAT(problem("{\n\"a\": 1,\n\"b\": ?}"), HasSubstr("byte 15 (line 3)"));
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "nul", "NaN", "Infinity", "1e400", "-",
                           "01", "\"\\ud800\"", "\"a\nb\"", "'a'", "{\"a\":1,}", "// c\n1"}) {
    EXPECT_THAT(problem(text), HasSubstr("in.json: byte ")) << text;
  }
}

TEST(Json, BadUtf8AndAByteOrderMarkAreErrors) {
  EXPECT_THAT(problem("\"ab\xFF\""), AllOf(HasSubstr("byte 3"), HasSubstr("UTF-8")));
  EXPECT_THAT(problem("\xEF\xBB\xBF{}"), HasSubstr("byte order mark"));
}

TEST(Json, DepthAndSizeAreLimited) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(problem(nested(64)), "");
  EXPECT_THAT(problem(nested(65)), AllOf(HasSubstr("byte 64"), HasSubstr("deeper than 64")));
  EXPECT_THAT(problem(std::string(100'000, '[')), HasSubstr("deeper"));
  EXPECT_THAT(problem("[1,2]", {.max_bytes = 4}), HasSubstr("the limit is 4"));
}

TEST(Json, ReadsAFileAndNamesIt) {
  TempFolder folder;
  const std::string path = folder.put("config.json", "{\"a\": [1]}");
  EXPECT_EQ(read_json(path)["a"][0], 1);
  folder.put("bad.json", "{");
  EXPECT_THAT(error_of([&] { read_json(folder.at("bad.json")); }), HasSubstr("/bad.json: byte"));
}

// The boundary cases of the Unicode standard, table 3-7.
TEST(Utf8, FindsTheFirstByteThatIsNotText) {
  constexpr auto kNone = std::string_view::npos;
  for (const char* good :
       {"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(find_invalid_utf8(good), kNone) << good;
  }
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xC3", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3(", "\xE2\x28\xA1"}) {
    EXPECT_EQ(find_invalid_utf8(std::string("ok") + bad), 2u) << bad;
  }
}

}  // namespace
}  // namespace plumb
