#include "core/data/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

RowPlan plan_for(SampleKind kind, const std::string& row, const DataOptions& options = {},
                 ChatFormat chat = ChatFormat::chatml) {
  const RowFormat format = choose_row_format(options, kind, parse_json(row, "f:1"), "f:1");
  return {kind, format, chat, options.columns};
}

Record read(SampleKind kind, const std::string& row, const DataOptions& options = {},
            ChatFormat chat = ChatFormat::chatml) {
  const RowPlan plan = plan_for(kind, row, options, chat);
  return read_record(parse_json(row, "f:1"), plan, "f:1");
}

std::string show(const std::vector<Message>& turns) {
  std::string text;
  for (const Message& turn : turns) {
    text += std::string(text.empty() ? "" : "|") + std::string(role_name(turn.role)) + "=" +
            turn.content;
  }
  return text;
}

// Reads `row` in the form that `first` has shown, as the second row of a file.
std::string fault_of(SampleKind kind, const std::string& first, const std::string& row) {
  const RowPlan plan = plan_for(kind, first);
  return error_of([&] { read_record(parse_json(row, "f:2"), plan, "f:2"); });
}

constexpr auto kConversation = SampleKind::conversation;

TEST(Records, FormsOfConversations) {
  EXPECT_EQ(show(read(kConversation, R"({"prompt": "p", "completion": "c"})").turns),
            "user=p|assistant=c");
  EXPECT_EQ(show(read(kConversation,
                      R"({"prompt": [{"role": "system", "content": "s"},
                                     {"role": "user", "content": "p"}],
                          "completion": [{"role": "assistant", "content": "c"}]})")
                     .turns),
            "system=s|user=p|assistant=c");
  EXPECT_EQ(show(read(kConversation,
                      R"({"messages": [{"role": "user", "content": "a"},
                                       {"role": "assistant", "content": "b"}]})")
                     .turns),
            "user=a|assistant=b");
  EXPECT_EQ(show(read(kConversation,
                      R"({"conversations": [{"from": "human", "value": "a"},
                                            {"from": "gpt", "value": "b"}]})")
                     .turns),
            "user=a|assistant=b");
  EXPECT_EQ(read(kConversation, R"({"text": "words"})").text, "words");
}

TEST(Records, InstructionsWithAndWithoutInput) {
  const std::string with = R"({"instruction": "i", "input": "x", "output": "o"})";
  EXPECT_EQ(show(read(kConversation, with).turns), "user=i\n\nx|assistant=o");
  EXPECT_EQ(show(read(kConversation, with, {}, ChatFormat::alpaca).turns),
            "user=i\n\n### Input:\nx|assistant=o");
  EXPECT_EQ(show(read(kConversation, R"({"instruction": "i", "input": "", "output": "o"})").turns),
            "user=i|assistant=o");
  EXPECT_EQ(show(read(kConversation, R"({"instruction": "i", "output": "o"})").turns),
            "user=i|assistant=o");
}

TEST(Records, ColumnsAreReachedByOtherNamesAndPaths) {
  DataOptions options;
  options.columns.prompt = "question";
  options.columns.completion = "instances.1.output";
  EXPECT_EQ(
      show(read(kConversation,
                R"({"question": "q", "instances": [{"output": "a"}, {"output": "b"}]})", options)
               .turns),
      "user=q|assistant=b");
  const Json row = parse_json(R"({"a.b": 1, "a": {"b": 2, "c": [3]}})", "row");
  EXPECT_EQ(*find_column(row, "a.b"), 1);
  EXPECT_EQ(*find_column(row, "a.c.0"), 3);
  EXPECT_EQ(find_column(row, "a.c.1"), nullptr);
  EXPECT_EQ(find_column(row, "a.c.x"), nullptr);
  EXPECT_EQ(find_column(row, "a..c"), nullptr);
  EXPECT_EQ(find_column(row, ""), nullptr);
}

TEST(Records, PairsInAllTheirForms) {
  const auto both = [](const std::string& row, ChatFormat chat = ChatFormat::chatml) {
    const Record record = read(SampleKind::preference, row, {}, chat);
    return show(record.turns) + " / " + show(record.rejected);
  };
  const std::string expected = "user=p|assistant=a / user=p|assistant=b";
  EXPECT_EQ(both(R"({"prompt": "p", "chosen": "a", "rejected": "b"})"), expected);
  EXPECT_EQ(both(R"({"prompt": [{"role": "user", "content": "p"}],
                     "chosen": [{"role": "assistant", "content": "a"}],
                     "rejected": [{"role": "assistant", "content": "b"}]})"),
            expected);
  // As ultrafeedback_binarized has it: the prompt twice.
  EXPECT_EQ(both(R"({"prompt": "p",
                     "chosen": [{"role": "user", "content": "p"},
                                {"role": "assistant", "content": "a"}],
                     "rejected": [{"role": "user", "content": "p"},
                                  {"role": "assistant", "content": "b"}]})"),
            expected);
  const std::string transcript =
      R"({"chosen": "\n\nHuman: p\n\nAssistant: a", "rejected": "\n\nHuman: p\n\nAssistant: b"})";
  EXPECT_EQ(both(transcript), expected);
  EXPECT_EQ(both(transcript, ChatFormat::none),
            "user=\n\nHuman: p\n\nAssistant:|assistant= a / "
            "user=\n\nHuman: p\n\nAssistant:|assistant= b");
  EXPECT_EQ(both(R"({"instruction": "p", "input": "", "chosen": "a", "rejected": "b"})"), expected);
}

TEST(Records, MarginsAreFiniteNumbers) {
  const auto margin = [](const std::string& value) {
    return read(SampleKind::preference,
                R"({"prompt": "p", "chosen": "a", "rejected": "b", "margin": )" + value + "}")
        .margin;
  };
  EXPECT_EQ(margin("0.5"), 0.5);
  EXPECT_EQ(margin("3"), 3.0);
  EXPECT_EQ(margin("null"), 0.0);
  EXPECT_THAT(error_of([&] { margin("\"1\""); }), HasSubstr("must be a finite number"));
}

TEST(Records, PromptsEndWithTheUser) {
  constexpr auto kPrompt = SampleKind::prompt;
  EXPECT_EQ(show(read(kPrompt, R"({"prompt": "p"})").turns), "user=p");
  EXPECT_EQ(show(read(kPrompt, R"({"prompt": "\n\nHuman: p\n\nAssistant:"})").turns), "user=p");
  EXPECT_EQ(show(read(kPrompt, R"({"instruction": "i", "input": "x", "output": "o"})").turns),
            "user=i\n\nx");
  EXPECT_EQ(show(read(kPrompt,
                      R"({"messages": [{"role": "user", "content": "a"},
                                       {"role": "assistant", "content": "b"}]})")
                     .turns),
            "user=a");
  EXPECT_EQ(
      show(read(kPrompt, R"({"chosen": "\n\nHuman: p\n\nAssistant: a\n\nHuman: q\n\nAssistant: b",
                 "rejected": "\n\nHuman: p\n\nAssistant: a\n\nHuman: q\n\nAssistant: c"})")
               .turns),
      "user=p|assistant=a|user=q");
  EXPECT_EQ(read(kPrompt, R"({"prompt": "p", "answer": "x"})").answer, "x");
  EXPECT_EQ(read(kPrompt, R"({"prompt": "p", "answer": 42})").answer, "42");
  EXPECT_EQ(read(kPrompt, R"({"prompt": "p"})").answer, "");
  EXPECT_THAT(error_of([&] { read(kPrompt, R"({"prompt": " \n"})"); }), HasSubstr("empty"));
  EXPECT_THAT(
      error_of([&] { read(kPrompt, R"({"messages": [{"role": "system", "content": "s"}]})"); }),
      HasSubstr("no user's turn"));
}

TEST(Records, PromptsOfPairsAreThoseOfTrl) {
  const Json fixture = read_json("tests/oracle/fixtures/data/extract_prompt.json");
  ASSERT_EQ(fixture.at("cases").size(), 6U);
  for (const Json& pair : fixture.at("cases")) {
    // TRL leaves an answer that both share at the prompt's end; here the user always has the last
    // word, for the policy answers.
    Json prompt = pair.at("prompt");
    if (prompt.back().at("role") == "assistant") prompt.erase(prompt.size() - 1);
    std::string expected;
    for (const Json& turn : prompt) {
      expected += std::string(expected.empty() ? "" : "|") + turn.at("role").get<std::string>() +
                  "=" + turn.at("content").get<std::string>();
    }
    Json row;
    row["chosen"] = pair.at("chosen");
    row["rejected"] = pair.at("rejected");
    EXPECT_EQ(show(read(SampleKind::prompt, row.dump()).turns), expected);
  }
}

TEST(Records, TheFormIsThatWhichTheJobNeeds) {
  const std::string row =
      R"({"instruction": "i", "input": "", "output": "o", "chosen": "c", "rejected": "r"})";
  EXPECT_EQ(plan_for(kConversation, row).format, RowFormat::instruction);
  EXPECT_EQ(plan_for(SampleKind::preference, row).format, RowFormat::preference);
  DataOptions options;
  options.format = "preference";
  EXPECT_EQ(plan_for(kConversation, row, options).format, RowFormat::preference);
  EXPECT_THAT(error_of([&] { plan_for(SampleKind::text, row, options); }),
              HasSubstr("data.format=preference gives no text samples"));
}

TEST(Records, MissingColumnsAreNamedWithThoseFound) {
  const std::string message =
      error_of([&] { plan_for(SampleKind::preference, R"({"question": "q", "response": "r"})"); });
  EXPECT_THAT(message, HasSubstr("f:1: its columns are question, response"));
  EXPECT_THAT(message, HasSubstr("need chosen, rejected"));
  EXPECT_THAT(message, HasSubstr("data.columns"));
  EXPECT_THAT(error_of([&] { plan_for(kConversation, "[1]"); }), HasSubstr("columns are none"));
}

TEST(Records, FaultyRowsAreNamedWithFileLineAndRule) {
  const std::string pc = R"({"prompt": "p", "completion": "c"})";
  const std::string chat = R"({"messages": [{"role": "user", "content": "u"}]})";
  const auto fault = [](const std::string& first, const std::string& row) {
    return fault_of(kConversation, first, row);
  };
  EXPECT_THAT(fault(pc, "[1, 2]"), HasSubstr("f:2: a row must be a JSON object {...}, not array"));
  EXPECT_THAT(fault(pc, "null"), HasSubstr("not null"));
  EXPECT_THAT(fault(pc, "17"), HasSubstr("not number"));
  EXPECT_THAT(fault(pc, R"({"prompt": "p"})"), HasSubstr("f:2: column 'completion' is missing"));
  EXPECT_THAT(fault(pc, chat), HasSubstr("makes every row prompt_completion"));
  EXPECT_THAT(fault(pc, R"({"prompt": "p", "completion": 3})"),
              HasSubstr("'completion' must be text, not number"));
  EXPECT_THAT(fault(pc, R"({"prompt": "p", "completion": "a\u0000b"})"), HasSubstr("NUL"));
  EXPECT_THAT(fault(chat, R"({"messages": []})"), HasSubstr("holds no messages"));
  EXPECT_THAT(fault(chat, R"({"messages": "hi"})"), HasSubstr("must be a list of messages"));
  EXPECT_THAT(fault(chat, R"({"messages": [{"role": "wizard", "content": ""}]})"),
              HasSubstr("messages[0]: role 'wizard' is none of"));
  EXPECT_THAT(fault(chat, R"({"messages": [{"role": "user"}]})"),
              HasSubstr("messages[0] needs role and content"));
  EXPECT_THAT(fault(chat, R"({"messages": [{"role": "user", "content": null}]})"),
              HasSubstr("must be text, not null"));
  EXPECT_THAT(fault(chat, R"({"messages": [{"role": "assistant", "tool_calls": []}]})"),
              HasSubstr("messages[0] needs role and content"));
  EXPECT_THAT(fault(chat, R"({"messages": [{"role": "user", "content": "u"}], "tools": "{}"})"),
              HasSubstr("column 'tools' must be a list, not object"));
}

}  // namespace
}  // namespace plumb
