#include "core/data/transcript.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/data/raw_rows.h"
#include "core/io/json.h"

namespace plumb {
namespace {

std::string show(const std::vector<Message>& turns) {
  std::string text;
  for (const Message& turn : turns) {
    text += std::string(role_name(turn.role)) + "=" + turn.content + ";";
  }
  return text;
}

TEST(Transcript, TurnsBeginAtTheMarks) {
  EXPECT_EQ(show(parse_transcript("\n\nHuman: a\n\nb: c\n\nAssistant: d \n\nHuman:  e")),
            "user=a\n\nb: c;assistant=d ;user= e;");
  EXPECT_EQ(show(parse_transcript("\n\nHuman: a\n\nAssistant:")), "user=a;assistant=;");
  EXPECT_EQ(show(parse_transcript("\n\nHuman:\n\nAssistant: b")), "user=;assistant=b;");
}

TEST(Transcript, TurnsOfOneRoleAreJoined) {
  EXPECT_EQ(show(parse_transcript("\n\nHuman: a\n\nHuman: b\n\nAssistant: c")),
            "user=a\n\nb;assistant=c;");
}

TEST(Transcript, IsOneOnlyWhenItBeginsWithAMark) {
  EXPECT_TRUE(is_transcript("\n\nHuman: a"));
  EXPECT_TRUE(is_transcript("\n\nAssistant: a"));
  EXPECT_FALSE(is_transcript("Human: a"));
  EXPECT_FALSE(is_transcript(""));
}

TEST(Transcript, SplitsAtTheLastAnswer) {
  const auto split =
      split_at_last_answer("\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d");
  EXPECT_EQ(split.prompt, "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:");
  EXPECT_EQ(split.response, " d");
}

// What comes out, written down in the transcript's own form, is what went in.
TEST(Transcript, KeepsEveryWordOfHhRlhf) {
  const std::string path = "../shared/data/preference/hh-harmless.train.jsonl.gz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const RowSource source = open_rows(std::make_shared<InputFile>(path), "");
  int kept = 0;
  int joined = 0;
  for (RawRow row; source.next(row);) {
    const Json json = parse_json(row.bytes, row.where);
    for (const char* name : {"chosen", "rejected"}) {
      const std::string text = json.at(name);
      std::string back;
      for (const Message& turn : parse_transcript(text)) {
        back += turn.role == Role::user ? "\n\nHuman: " : "\n\nAssistant: ";
        back += turn.content;
      }
      ++(back == text ? kept : joined);
    }
  }
  EXPECT_EQ(kept + joined, 3000);
  EXPECT_EQ(joined, 7);  // where one role has two turns in a row
}

}  // namespace
}  // namespace plumb
