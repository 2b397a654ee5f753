#include "core/data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/text/chat_format.h"
#include "tests/core/data/gzip_bytes.h"
#include "tests/core/data/prepared.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kConversation = SampleKind::conversation;

std::string fault_of(const std::string& rows, SampleKind kind, const DataOptions& options = {}) {
  TempFolder folder;
  const std::string fault = error_of([&] { prepare_rows(folder, rows, kind, options); });
  if (std::filesystem::exists(folder.at("store"))) {
    EXPECT_TRUE(std::filesystem::is_empty(folder.at("store"))) << "something half-written is left";
  }
  return fault;
}

TEST(Prepare, PromptAndCompletionBecomeTokensAndSpans) {
  TempFolder folder;
  const PreparedData data = prepare_rows(folder, pair_row("ab", "cd"), kConversation);
  ASSERT_EQ(data.train.size(), 1);
  const Sequence sequence = data.train.sample(0).only();
  auto expected = byte_ids("abcd");
  expected.push_back(kByteEos);
  EXPECT_EQ(sequence.tokens, expected);
  EXPECT_THAT(trained_texts(sequence, byte_tokenizer()), ElementsAre("cd<|endoftext|>"));
  EXPECT_EQ(data.accounting().trained_tokens, 3);
  EXPECT_EQ(data.accounting().tokens, 5);
  EXPECT_EQ(data.accounting().ends_trained, 1);
  EXPECT_EQ(data.accounting().row_format, "prompt_completion");
}

TEST(Prepare, DocumentsBeginWithBosAndEndWithEos) {
  TempFolder folder;
  DataOptions options = options_for(folder, {folder.put("a.txt", "ab<|endoftext|>c")});
  const Tokenizer tokenizer = byte_tokenizer(TextStart::bos);
  const PreparedData data = open_or_prepare(options, tokenizer, request_for(SampleKind::text));
  ASSERT_EQ(data.train.size(), 2);
  const auto ids = byte_ids("ab");
  EXPECT_THAT(data.train.sample(0).only().tokens, ElementsAre(kByteBos, ids[0], ids[1], kByteEos));
  EXPECT_THAT(data.train.sample(1).only().tokens,
              ElementsAre(kByteBos, byte_ids("c")[0], kByteEos));
  options.append_eos = false;
  const PreparedData bare = open_or_prepare(options, tokenizer, request_for(SampleKind::text));
  EXPECT_THAT(bare.train.sample(0).only().tokens, ElementsAre(kByteBos, ids[0], ids[1]));
}

TEST(Prepare, LongDocumentsAreDividedAndNothingIsLost) {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(i) + "\n";
  DataOptions options = options_for(folder, {folder.put("a.txt", text)});
  options.max_length = 100;
  const PreparedData data =
      open_or_prepare(options, byte_tokenizer(), request_for(SampleKind::text));
  auto expected = byte_ids(text);
  expected.push_back(kByteEos);
  std::vector<std::int32_t> joined{expected.front()};
  for (std::int64_t i = 0; i < data.train.size(); ++i) {
    const auto tokens = data.train.sample(i).only().tokens;
    EXPECT_LE(tokens.size(), 100U);
    joined.insert(joined.end(), tokens.begin() + 1, tokens.end());
  }
  EXPECT_EQ(joined, expected);
  EXPECT_EQ(data.accounting().trained_tokens, static_cast<std::int64_t>(expected.size()) - 1);
  EXPECT_EQ(data.accounting().rows_read, 1);
  EXPECT_EQ(data.accounting().rows_used, 1);
  EXPECT_EQ(data.accounting().longest_row, static_cast<std::int64_t>(expected.size()));
}

// A text of more than a megabyte is tokenised in pieces: no piece may get a space of its own.
TEST(Prepare, PiecesOfADocumentJoinWithoutASeam) {
  const std::string folder_of_model = "../shared/models/stories260K";
  if (!std::filesystem::exists(folder_of_model)) {
    GTEST_SKIP() << folder_of_model << " is not here";
  }
  TempFolder folder;
  std::string text;
  for (int i = 0; text.size() < (std::size_t{5} << 18); ++i) text += "x" + std::to_string(i) + "\n";
  const Tokenizer tokenizer = Tokenizer::load(folder_of_model);
  const PreparedData data = open_or_prepare(options_for(folder, {folder.put("a.txt", text)}),
                                            tokenizer, request_for(SampleKind::text, 2));
  ASSERT_EQ(data.train.size(), 1);
  EXPECT_TRUE(tokenizer.decode(data.train.sample(0).only().tokens) == text);
}

TEST(Prepare, BadRowsStopAtTheirLine) {
  const std::string good = pair_row("p", "c");
  const auto fault = [&](const std::string& rows) { return fault_of(rows, kConversation); };
  EXPECT_THAT(fault(good + "{\"prompt\": \"p\", \"compl"),
              AllOf(HasSubstr("rows.jsonl:2:"), HasSubstr("not valid JSON")));
  EXPECT_THAT(fault(good + "\n" + "{\"prompt\": 1, \"prompt\": 2}"),
              AllOf(HasSubstr("rows.jsonl:3:"), HasSubstr("duplicate key")));
  EXPECT_THAT(fault(good + "{} {}"), HasSubstr("rows.jsonl:2:"));
  EXPECT_THAT(fault(good + "{\"prompt\": \"\xFF\"}"),
              AllOf(HasSubstr("rows.jsonl:2:"), HasSubstr("UTF-8")));
  EXPECT_THAT(fault(good + "{\"prompt\": \"\xC0\xAF\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(fault(good + "{\"prompt\": \"\xED\xA0\x80\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(fault(good + "{\"prompt\": \"\\ud800\"}"), HasSubstr("rows.jsonl:2:"));
  EXPECT_THAT(fault(good + std::string("{\"prompt\": \"a\0\"}", 16)), HasSubstr("rows.jsonl:2:"));
  EXPECT_THAT(fault(good + std::string(100000, '[')),
              AllOf(HasSubstr("rows.jsonl:2:"), HasSubstr("deeper")));
  EXPECT_THAT(fault(good + R"({"prompt": 1e999, "completion": ""})"), HasSubstr("rows.jsonl:2:"));
  EXPECT_THAT(fault(good + R"({"text": "t"})"),
              AllOf(HasSubstr("rows.jsonl:2: column 'prompt' is missing"), HasSubstr("skip_bad")));
  EXPECT_THAT(fault(good + "7"), HasSubstr("not number"));
  EXPECT_THAT(fault(R"({"prompt": "p"})"), HasSubstr("its columns are prompt;"));
}

TEST(Prepare, OrderOfTurnsIsCheckedWithFileAndLine) {
  const auto row = [](const std::string& first, const std::string& second) {
    return R"({"messages": [{"role": ")" + first + R"(", "content": "a"}, {"role": ")" + second +
           R"(", "content": "b"}]})" + "\n";
  };
  DataOptions options;
  options.chat_template = "alpaca";
  EXPECT_THAT(fault_of(row("user", "assistant") + row("user", "user"), kConversation, options),
              AllOf(HasSubstr("rows.jsonl:2:"), HasSubstr("message 2 is by user")));
  EXPECT_THAT(fault_of(row("user", "system"), kConversation, options),
              AllOf(HasSubstr("rows.jsonl:1:"), HasSubstr("message 2 is by system")));
}

TEST(Prepare, EmptyDataAreRefused) {
  EXPECT_THAT(fault_of("", kConversation), HasSubstr("rows.jsonl: it holds no rows"));
  EXPECT_THAT(fault_of("\n\n", kConversation), HasSubstr("it holds no rows"));
  EXPECT_THAT(fault_of(R"({"text": " "})", SampleKind::text), HasSubstr("no sample is left"));
}

TEST(Prepare, SkippedRowsAreCountedByReason) {
  TempFolder folder;
  DataOptions options;
  options.skip_bad = true;
  options.empty_labels = "drop";
  const std::string rows = "{\"broken\n" + pair_row("p", "c") + "7\n" + pair_row("p", "  ") +
                           "{\"prompt\": \"only\"}\n" + pair_row("", "d");
  const PreparedData data = prepare_rows(folder, rows, kConversation, options);
  const Accounting& counts = data.accounting();
  EXPECT_EQ(counts.rows_read, 6);
  EXPECT_EQ(counts.rows_used, 2);
  EXPECT_EQ(counts.rows_read, counts.rows_used + counts.rows_skipped());
  EXPECT_THAT(counts.skipped,
              ElementsAre(std::pair("malformed JSON", 1), std::pair("missing column", 1),
                          std::pair("no answer", 1), std::pair("not an object", 1)));
  EXPECT_EQ(data.train.sample(0).row, 1);
  EXPECT_EQ(data.train.sample(1).row, 5);
  EXPECT_THAT(counts.examples.front(), HasSubstr("rows.jsonl:1:"));
}

TEST(Prepare, RowsWithoutLabelsAreCountedAndRefused) {
  DataOptions options;
  options.max_length = 4;
  const std::string rows =
      pair_row("ab", "cd") + pair_row("abcd", "e") + pair_row("abcdef", "g") + pair_row("a", "");
  EXPECT_THAT(fault_of(rows, kConversation, options),
              AllOf(HasSubstr("3 of 4 rows have no trained token"), HasSubstr("rows.jsonl:2"),
                    HasSubstr("data.empty_labels=drop")));
  options.empty_labels = "drop";
  TempFolder folder;
  const PreparedData data = prepare_rows(folder, rows, kConversation, options);
  EXPECT_THAT(data.accounting().skipped,
              ElementsAre(std::pair("labels cut off", 2), std::pair("no answer", 1)));
  EXPECT_EQ(data.accounting().rows_cut, 1);
  EXPECT_THAT(trained_texts(data.train.sample(0).only(), byte_tokenizer()), ElementsAre("cd"));
  EXPECT_EQ(data.accounting().ends_trained, 0);
}

TEST(Prepare, LongRowsAreCutDroppedOrRefused) {
  const std::string rows = pair_row("ab", "cd") + pair_row("ab", "cdefgh");
  DataOptions options;
  options.max_length = 6;
  {
    TempFolder folder;
    const PreparedData data = prepare_rows(folder, rows, kConversation, options);
    EXPECT_EQ(data.accounting().rows_cut, 1);
    EXPECT_EQ(data.accounting().longest_row, 9);
    EXPECT_EQ(data.accounting().longest_sample, 6);
    EXPECT_EQ(data.train.sample(1).only().tokens, byte_ids("abcdef"));
    EXPECT_EQ(data.train.sample(1).only().spans.back().end, 6);
  }
  options.too_long = "drop";
  {
    TempFolder folder;
    const PreparedData data = prepare_rows(folder, rows, kConversation, options);
    EXPECT_THAT(data.accounting().skipped, ElementsAre(std::pair("too long", 1)));
  }
  options.too_long = "error";
  EXPECT_THAT(fault_of(rows, kConversation, options),
              AllOf(HasSubstr("rows.jsonl:2: it has 9 tokens; max_length is 6"),
                    HasSubstr("data.too_long")));
}

TEST(Prepare, TheContextIsTheLimit) {
  TempFolder folder;
  DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("ab", "cdefgh"))});
  DataRequest request = request_for(kConversation);
  request.context = 5;
  EXPECT_EQ(open_or_prepare(options, byte_tokenizer(), request).train.length(0), 5);
  options.max_length = 6;
  EXPECT_THAT(error_of([&] { open_or_prepare(options, byte_tokenizer(), request); }),
              HasSubstr("data.max_length=6 is more than the model's context of 5"));
}

TEST(Prepare, PairsThatTeachNothingAreDropped) {
  TempFolder folder;
  const auto row = [](const std::string& chosen, const std::string& rejected) {
    return R"({"prompt": "p", "chosen": ")" + chosen + R"(", "rejected": ")" + rejected + "\"}\n";
  };
  DataOptions options;
  options.max_length = 5;
  const PreparedData data =
      prepare_rows(folder, row("a", "b") + row("a", "a") + row("abcdefg", "b") + row("a", ""),
                   SampleKind::preference, options);
  EXPECT_THAT(data.accounting().skipped,
              ElementsAre(std::pair("chosen equals rejected", 1), std::pair("too long", 1)));
  ASSERT_EQ(data.train.size(), 2);
  EXPECT_EQ(data.train.sample(0).chosen().tokens.front(), byte_ids("p").front());
  EXPECT_EQ(data.train.length(0), 6);
}

TEST(Prepare, PromptsKeepAnswerAndColumns) {
  TempFolder folder;
  const std::string row = R"({"prompt":"2+2=","answer":4,"level":"easy"})";
  const PreparedData data = prepare_rows(folder, row, SampleKind::prompt);
  const Sample sample = data.train.sample(0);
  EXPECT_EQ(sample.only().tokens, byte_ids("2+2="));
  EXPECT_EQ(trained_tokens(sample.only()), 0);
  EXPECT_EQ(sample.answer, "4");
  EXPECT_EQ(sample.columns, row);
  DataOptions options;
  options.too_long = "cut";
  EXPECT_THAT(fault_of(row, SampleKind::prompt, options), HasSubstr("data.too_long=cut"));
}

TEST(Prepare, SeveralFilesAndALimit) {
  TempFolder folder;
  const std::string first = folder.put("a.jsonl", pair_row("a", "1") + pair_row("a", "2"));
  const std::string second =
      folder.put("b.jsonl.gz", gzip_bytes(pair_row("b", "3") + pair_row("b", "4")));
  const std::string third = folder.put("c.json", "[" + pair_row("c", "5") + "]");
  DataOptions options = options_for(folder, {first, second, third});
  const PreparedData all = open_or_prepare(options, byte_tokenizer(), request_for(kConversation));
  EXPECT_EQ(all.train.size(), 5);
  EXPECT_EQ(all.train.sample(4).row, 4);
  EXPECT_EQ(all.train.sample(3).only().tokens[1], byte_ids("4")[0]);
  options.limit = 3;
  EXPECT_EQ(open_or_prepare(options, byte_tokenizer(), request_for(kConversation)).train.size(), 3);
}

TEST(Prepare, TextFilesGiveNoConversations) {
  TempFolder folder;
  const DataOptions options = options_for(folder, {folder.put("a.txt", "words")});
  EXPECT_THAT(
      error_of([&] { open_or_prepare(options, byte_tokenizer(), request_for(kConversation)); }),
      HasSubstr("a .txt file gives text samples only"));
}

TEST(Prepare, TemplatesFollowTheForm) {
  TempFolder folder;
  const auto format_of = [&](const std::string& row, SampleKind kind) {
    DataOptions options = options_for(folder, {folder.put("a.jsonl", row)});
    options.chat_template = "auto";
    return open_or_prepare(options, byte_tokenizer(), request_for(kind)).accounting().chat_format;
  };
  EXPECT_EQ(format_of(pair_row("p", "c"), kConversation), "none");
  EXPECT_EQ(format_of(R"({"chosen": "\n\nHuman: p\n\nAssistant: a", )"
                      R"("rejected": "\n\nHuman: p\n\nAssistant: b"})",
                      SampleKind::preference),
            "plain");
  EXPECT_THAT(error_of([&] {
                format_of(R"({"messages": [{"role": "user", "content": "a"}]})", kConversation);
              }),
              HasSubstr("set data.template"));
}

TEST(Prepare, ATemplateFileWithToolsAndVariables) {
  TempFolder folder;
  DataOptions options = options_for(folder, {folder.at("rows.jsonl")});
  files::publish(folder.at("rows.jsonl"),
                 R"({"messages": [{"role": "user", "content": "u"}, )"
                 R"({"role": "assistant", "content": "a"}], "tools": "[{\"n\": 1}]", )"
                 R"("chat_template_kwargs": {"mode": "m"}})"
                 "\n");
  options.chat_template = folder.at("chat.jinja");
  const auto write = [&](const std::string& mark) {
    files::publish(options.chat_template,
                   mark +
                       "{{ tools | tojson }}{{ mode }}{% for m in messages %}"
                       "{{ m.role[0] + ':' + m.content }}{% endfor %}"
                       "{% if add_generation_prompt %}a:{% endif %}");
  };
  write("1");
  const auto prepared = [&] {
    return open_or_prepare(options, byte_tokenizer(), request_for(SampleKind::conversation));
  };
  const Sequence sequence = prepared().train.sample(0).only();
  EXPECT_EQ(byte_tokenizer().decode(sequence.tokens), R"(1[{"n": 1}]mu:ua:a)");
  EXPECT_EQ(trained_tokens(sequence), 1);
  EXPECT_TRUE(prepared().was_ready);
  write("2");  // the template's text decides the tokens
  const PreparedData again = prepared();
  EXPECT_FALSE(again.was_ready);
  EXPECT_EQ(again.train.sample(0).only().tokens[0], byte_ids("2")[0]);
}

TEST(Prepare, TheTokenizersOwnTemplateIsUsed) {
  TempFolder folder;
  const std::string alpaca = jinja_of(ChatFormat::alpaca, byte_tokenizer());
  const Tokenizer tokenizer = with_chat_template(byte_tokenizer(), alpaca);
  DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("p", "c"))});
  options.chat_template = "auto";
  const PreparedData data = open_or_prepare(options, tokenizer, request_for(kConversation));
  EXPECT_EQ(data.accounting().chat_format, "alpaca");
  auto expected = byte_ids("### Instruction:\np\n\n### Response:\nc");
  expected.push_back(kByteEos);
  EXPECT_EQ(data.train.sample(0).only().tokens, expected);
}

TEST(Prepare, TheStoreIsMadeOnce) {
  TempFolder folder;
  const DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  const DataRequest request = request_for(kConversation);
  EXPECT_FALSE(open_or_prepare(options, byte_tokenizer(), request).was_ready);
  const std::string path = store_path(options, byte_tokenizer(), request);
  const auto written = std::filesystem::last_write_time(path);
  EXPECT_TRUE(open_or_prepare(options, byte_tokenizer(), request).was_ready);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
}

TEST(Prepare, TheStoreIsMadeAgainWhenItsSourceChangesOrItIsDamaged) {
  TempFolder folder;
  const DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  const DataRequest request = request_for(kConversation);
  const auto last_token = [&](bool was_ready) {
    const PreparedData data = open_or_prepare(options, byte_tokenizer(), request);
    EXPECT_EQ(data.was_ready, was_ready);
    return data.train.sample(0).only().tokens.at(1);
  };
  EXPECT_EQ(last_token(false), byte_ids("b")[0]);
  folder.put("a.jsonl", pair_row("a", "c"));
  EXPECT_EQ(last_token(false), byte_ids("c")[0]);
  EXPECT_EQ(last_token(true), byte_ids("c")[0]);
  const std::string path = store_path(options, byte_tokenizer(), request);
  std::string bytes = TempFolder::get(path);
  bytes[bytes.size() / 2] ^= 0x40;
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(last_token(false), byte_ids("c")[0]);
  std::ofstream(path, std::ios::binary) << "not a store";
  EXPECT_EQ(last_token(false), byte_ids("c")[0]);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.at("store")),
                          std::filesystem::directory_iterator()),
            1);
}

TEST(Prepare, WhatDecidesTheTokensDecidesTheStore) {
  TempFolder folder;
  const DataOptions base = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  const DataRequest request = request_for(kConversation);
  std::set<std::string> paths{store_path(base, byte_tokenizer(), request)};
  paths.insert(store_path(base, byte_tokenizer(TextStart::bos), request));
  const auto with = [&](const auto& change) {
    DataOptions options = base;
    change(options);
    paths.insert(store_path(options, byte_tokenizer(), request));
  };
  with([](DataOptions& o) { o.chat_template = "chatml"; });
  with([](DataOptions& o) { o.max_length = 7; });
  with([](DataOptions& o) { o.too_long = "drop"; });
  with([](DataOptions& o) { o.columns.prompt = "question"; });
  with([](DataOptions& o) { o.limit = 1; });
  with([](DataOptions& o) { o.skip_bad = true; });
  with([](DataOptions& o) { o.format = "text"; });
  EXPECT_EQ(paths.size(), 9U);
  with([](DataOptions& o) { o.validation_fraction = 0.5; });
  EXPECT_EQ(paths.size(), 9U);
}

TEST(Prepare, AnyNumberOfThreadsMakesTheSameStore) {
  TempFolder folder;
  std::string rows;
  for (int i = 0; i < 3000; ++i) {
    rows += pair_row("prompt " + std::to_string(i),
                     std::string(static_cast<std::size_t>(i % 300), 'x') + ".");
  }
  folder.put("rows.jsonl", rows);
  const auto bytes_with = [&](int threads) {
    DataOptions options = options_for(folder, {folder.at("rows.jsonl")});
    options.store = folder.at("store" + std::to_string(threads));
    const DataRequest request = request_for(kConversation, threads);
    open_or_prepare(options, byte_tokenizer(), request);
    return TempFolder::get(store_path(options, byte_tokenizer(), request));
  };
  const std::string one = bytes_with(1);
  EXPECT_EQ(one, bytes_with(4));
  EXPECT_EQ(one, bytes_with(3));
}

TEST(Prepare, ProgressReachesTheEnd) {
  TempFolder folder;
  const DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  DataRequest request = request_for(kConversation);
  PrepareProgress last;
  request.progress = [&](const PrepareProgress& progress) { last = progress; };
  open_or_prepare(options, byte_tokenizer(), request);
  EXPECT_EQ(last.rows_read, 1);
  EXPECT_EQ(last.tokens, 3);
  EXPECT_EQ(last.bytes_total, last.bytes_read);
}

TEST(Prepare, AFileThatChangesWhileItIsReadIsRefused) {
  TempFolder folder;
  const std::string path = folder.put("a.jsonl", pair_row("a", "b"));
  const DataOptions options = options_for(folder, {path});
  DataRequest request = request_for(kConversation);
  request.progress = [&](const PrepareProgress&) { folder.put("a.jsonl", pair_row("a", "bcd")); };
  EXPECT_THAT(error_of([&] { open_or_prepare(options, byte_tokenizer(), request); }),
              HasSubstr("changed while it was read"));
}

}  // namespace
}  // namespace plumb
