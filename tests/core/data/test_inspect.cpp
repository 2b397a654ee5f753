#include "core/data/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/data/prepared.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

PreparedData prepare_row(const TempFolder& folder, const std::string& row, SampleKind kind) {
  return open_or_prepare(options_for(folder, {folder.put("a.jsonl", row)}), byte_tokenizer(),
                         request_for(kind));
}

TEST(Inspect, MarksWhatIsTrained) {
  TempFolder folder;
  const PreparedData data = prepare_row(
      folder, R"({"prompt": "ask ", "completion": "tell\u001b[31m"})", SampleKind::conversation);
  const std::string text = inspect(data.train, byte_tokenizer());
  EXPECT_THAT(text, AllOf(HasSubstr("sample 0 (row 0): 14 tokens, 10 trained"),
                          HasSubstr("ask [[tell\\x1b[31m<|endoftext|>]]"),
                          HasSubstr("rows: 1 read, 1 used, 0 skipped"), Not(HasSubstr("\x1b"))));
  const std::string coloured = inspect(data.train, byte_tokenizer(), {0, 1, Marking::colour});
  EXPECT_THAT(coloured, HasSubstr("ask \x1b[32mtell\\x1b[31m<|endoftext|>\x1b[0m"));
}

TEST(Inspect, ShowsBothOfAPair) {
  TempFolder folder;
  const PreparedData data =
      prepare_row(folder, R"({"prompt": "p ", "chosen": "yes", "rejected": "no", "margin": 2})",
                  SampleKind::preference);
  const std::string text = inspect(data.train, byte_tokenizer());
  EXPECT_THAT(text, AllOf(HasSubstr("by a margin of 2:"), HasSubstr("p [[yes<|endoftext|>]]"),
                          HasSubstr("rejected:\np [[no<|endoftext|>]]")));
}

TEST(Inspect, BeyondTheEndShowsTheAccountingAlone) {
  TempFolder folder;
  const PreparedData data =
      prepare_row(folder, R"({"prompt": "p", "answer": "42"})", SampleKind::prompt);
  EXPECT_THAT(inspect(data.train, byte_tokenizer(), {5, 3, Marking::brackets}),
              Not(HasSubstr("sample 0")));
  EXPECT_THAT(inspect(data.train, byte_tokenizer()), HasSubstr("answer: 42"));
}

}  // namespace
}  // namespace plumb
