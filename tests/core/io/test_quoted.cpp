#include "core/io/quoted.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Quoted, ShortTextIsAJsonStringAsItIs) {
  EXPECT_EQ(quoted("a \"b\"\n\xC3\xA9"), "\"a \\\"b\\\"\\n\xC3\xA9\"");
}

TEST(Quoted, LongTextIsCutAndSaysSo) { EXPECT_EQ(quoted("abcdef", 4), "\"abcd\"..."); }

TEST(Quoted, ACutThroughACharacterLeavesValidUtf8) {
  EXPECT_EQ(quoted("abc\xC3\xA9", 4), "\"abc\xEF\xBF\xBD\"...");
}

TEST(Quoted, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(quoted("a\xFF"
                   "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
}

}  // namespace
}  // namespace plumb
