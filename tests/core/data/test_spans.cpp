// Exactly the words of the assistant and the end of its turn are trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/data/raw_rows.h"
#include "tests/core/data/prepared.h"

namespace plumb {
namespace {

using testing::ElementsAre;

constexpr const char* kStories = "../shared/models/stories260K";
constexpr const char* kSeedTasks = "../shared/data/sft/seed_tasks.jsonl";
constexpr const char* kHh = "../shared/data/preference/hh-harmless.train.jsonl.gz";

bool is_here(const char* path) {
  return std::filesystem::exists(path);
}

void expect_cover(const Sequence& sequence) {
  std::int64_t at = 0;
  for (const Span& span : sequence.spans) {
    EXPECT_EQ(span.begin, at);
    EXPECT_GT(span.end, span.begin);
    at = span.end;
  }
  EXPECT_EQ(at, static_cast<std::int64_t>(sequence.tokens.size()));
}

TEST(Spans, EveryAssistantTurnIsTrained) {
  TempFolder folder;
  const std::string row =
      R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "one"},
          {"role": "assistant", "content": "two <|im_end|>"}, {"role": "user", "content": "three"},
          {"role": "assistant", "content": "four"}]})";
  std::string line = row;
  std::erase(line, '\n');
  DataOptions options = options_for(folder, {folder.put("a.jsonl", line)});
  options.chat_template = "chatml";
  const Tokenizer tokenizer = byte_tokenizer();
  const PreparedData data =
      open_or_prepare(options, tokenizer, request_for(SampleKind::conversation));
  const Sequence sequence = data.train.sample(0).only();
  expect_cover(sequence);
  const auto texts = trained_texts(sequence, tokenizer);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0], "two <|im_end|><|im_end|>");
  EXPECT_EQ(texts[1], "four<|im_end|>");
  EXPECT_EQ(data.accounting().ends_trained, 0);  // this tokenizer's EOS is another token
  // What the user wrote is never a special token, whatever it spells.
  const auto end_mark = tokenizer.token_to_id("<|im_end|>");
  const auto first = sequence.tokens.begin();
  for (const Span& span : sequence.spans) {
    if (span.role == Role::markup) continue;
    const auto words_end = first + span.end - (span.is_trained ? 1 : 0);
    EXPECT_EQ(std::find(first + span.begin, words_end, *end_mark), words_end);
  }
}

TEST(Spans, CoverWhatACutLeaves) {
  TempFolder folder;
  const std::string row =
      R"({"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}, )"
      R"({"role": "user", "content": "ef"}, {"role": "assistant", "content": "gh"}]})";
  DataOptions options = options_for(folder, {folder.put("a.jsonl", row)});
  const std::vector<std::vector<std::string>> expected{{"c"},
                                                       {"cd"},
                                                       {"cd<|endoftext|>"},
                                                       {"cd<|endoftext|>"},
                                                       {"cd<|endoftext|>"},
                                                       {"cd<|endoftext|>", "g"}};
  for (std::int64_t length = 3; length <= 8; ++length) {
    options.max_length = length;
    const PreparedData data =
        open_or_prepare(options, byte_tokenizer(), request_for(SampleKind::conversation));
    const Sequence sequence = data.train.sample(0).only();
    EXPECT_EQ(data.train.length(0), length);
    expect_cover(sequence);
    EXPECT_EQ(trained_texts(sequence, byte_tokenizer()),
              expected[static_cast<std::size_t>(length - 3)]);
  }
}

TEST(Spans, AreExactOnRealTasks) {
  if (!is_here(kSeedTasks) || !is_here(kStories)) GTEST_SKIP() << kSeedTasks << " is not here";
  TempFolder folder;
  DataOptions options = options_for(folder, {kSeedTasks});
  options.columns.prompt = "instruction";
  options.columns.completion = "instances.0.output";
  const Tokenizer tokenizer = Tokenizer::load(kStories);
  const PreparedData data =
      open_or_prepare(options, tokenizer, request_for(SampleKind::conversation, 2));
  ASSERT_EQ(data.train.size(), 175);
  EXPECT_EQ(data.accounting().ends_trained, 175);
  const RowSource source = open_rows(std::make_shared<InputFile>(kSeedTasks), "");
  RawRow raw;
  for (std::int64_t i = 0; source.next(raw); ++i) {
    const Json row = parse_json(raw.bytes, raw.where);
    const std::string completion = row.at("instances").at(0).at("output");
    const Sequence sequence = data.train.sample(i).only();
    expect_cover(sequence);
    std::vector<std::int32_t> trained;
    for (const Span& span : sequence.spans) {
      if (!span.is_trained) continue;
      trained.insert(trained.end(), sequence.tokens.begin() + span.begin,
                     sequence.tokens.begin() + span.end);
    }
    ASSERT_EQ(trained.back(), *tokenizer.eos_id());
    trained.pop_back();
    EXPECT_EQ(tokenizer.decode(trained, SpecialTokens::keep), completion) << raw.where;
  }
}

TEST(Spans, OfRealPairsDifferOnlyInTheLastTurn) {
  if (!is_here(kHh) || !is_here(kStories)) GTEST_SKIP() << kHh << " is not here";
  TempFolder folder;
  DataOptions options = options_for(folder, {kHh});
  options.chat_template = "auto";
  options.limit = 300;
  const Tokenizer tokenizer = Tokenizer::load(kStories);
  const PreparedData pairs =
      open_or_prepare(options, tokenizer, request_for(SampleKind::preference, 2));
  EXPECT_EQ(pairs.accounting().chat_format, "plain");
  EXPECT_EQ(pairs.accounting().rows_read, 300);
  const PreparedData prompts =
      open_or_prepare(options, tokenizer, request_for(SampleKind::prompt, 2));
  ASSERT_GT(prompts.train.size(), 290);
  for (std::int64_t i = 0, j = 0; i < prompts.train.size(); ++i) {
    const Sample prompt = prompts.train.sample(i);
    while (j < pairs.train.size() && pairs.train.sample(j).row < prompt.row) ++j;
    if (j == pairs.train.size() || pairs.train.sample(j).row != prompt.row) continue;
    const Sample pair = pairs.train.sample(j);
    const auto& start = prompt.only().tokens;
    for (const Sequence& sequence : pair.sequences) {
      expect_cover(sequence);
      ASSERT_GE(sequence.tokens.size(), start.size());
      EXPECT_TRUE(std::equal(start.begin(), start.end(), sequence.tokens.begin()))
          << "row " << prompt.row;
    }
  }
}

}  // namespace
}  // namespace plumb
