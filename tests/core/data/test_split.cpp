// Which rows are held out.
#include <gtest/gtest.h>

#include <set>

#include "core/data/prepare.h"
#include "tests/core/data/prepared.h"

namespace plumb {
namespace {

constexpr auto kConversation = SampleKind::conversation;

TEST(Split, IsByRowAndSeed) {
  TempFolder folder;
  std::string rows;
  for (int i = 0; i < 2000; ++i) rows += pair_row("p" + std::to_string(i), i % 3 ? "c" : "");
  DataOptions options;
  options.empty_labels = "drop";
  options.validation_fraction = 0.2;
  const PreparedData data = prepare_rows(folder, rows, kConversation, options);
  std::set<std::int64_t> held_out;
  for (std::int64_t i = 0; i < data.validation->size(); ++i) {
    held_out.insert(data.validation->sample(i).row);
  }
  EXPECT_NEAR(static_cast<double>(data.validation->size()) / 1333.0, 0.2, 0.05);
  EXPECT_EQ(data.validation->size() + data.train.size(), data.accounting().samples);
  // Without the dropped rows the samples have other numbers, the rows the same side.
  std::string all_rows;
  for (int i = 0; i < 2000; ++i) all_rows += pair_row("p", "c");
  TempFolder other;
  const PreparedData whole = prepare_rows(other, all_rows, kConversation, options);
  for (std::int64_t i = 0; i < whole.train.size(); ++i) {
    EXPECT_FALSE(held_out.contains(whole.train.sample(i).row));
  }
}

TEST(Split, NeitherSideIsEmptyAndWindowsOfADocumentAreDivided) {
  TempFolder folder;
  DataOptions options = options_for(folder, {folder.put("a.txt", std::string(2000, 'x'))});
  options.max_length = 11;
  options.validation_fraction = 0.1;
  const PreparedData data =
      open_or_prepare(options, byte_tokenizer(), request_for(SampleKind::text));
  EXPECT_GT(data.validation->size(), 5);
  EXPECT_GT(data.train.size(), 100);
  options.path = {folder.put("b.txt", std::string(15, 'x'))};
  for (const double fraction : {0.001, 0.9}) {
    options.validation_fraction = fraction;
    const PreparedData few =
        open_or_prepare(options, byte_tokenizer(), request_for(SampleKind::text));
    EXPECT_EQ(few.validation->size(), 1);
    EXPECT_EQ(few.train.size(), 1);
  }
}

TEST(Split, ValidationFilesAreTheirOwnStore) {
  TempFolder folder;
  DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  options.validation = {folder.put("v.jsonl", pair_row("v", "w") + pair_row("v", "x"))};
  const PreparedData data = open_or_prepare(options, byte_tokenizer(), request_for(kConversation));
  EXPECT_EQ(data.train.size(), 1);
  EXPECT_EQ(data.validation->size(), 2);
}

}  // namespace
}  // namespace plumb
