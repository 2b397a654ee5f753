#include "core/io/json_quoted.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(JsonQuoted, ShortTextIsAJsonStringAsItIs) {
  EXPECT_EQ(json_quoted("a \"b\"\n\xC3\xA9"), "\"a \\\"b\\\"\\n\xC3\xA9\"");
}

TEST(JsonQuoted, LongTextIsCutAndSaysSo) {
  EXPECT_EQ(json_quoted("abcdef", 4), "\"abcd\"...");
}

TEST(JsonQuoted, ACutThroughACharacterLeavesValidUtf8) {
  EXPECT_EQ(json_quoted("abc\xC3\xA9", 4), "\"abc\xEF\xBF\xBD\"...");
}

TEST(JsonQuoted, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(json_quoted("a\xFF"
                        "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
}

}  // namespace
}  // namespace plumb
