#include "core/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/files.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::ElementsAre;

// The ids of these 46 strings as llama.cpp expects them: a second, independent oracle. GPT-2's
// tokenizer is made from its encoder.json and vocab.bpe.
TEST(Tokenizer, LlamaCppCases) {
  for (const std::string name : {"falcon", "phi-3", "gpt-2"}) {
    const std::string folder = "../shared/data/tokenizer/";
    if (!files::exists(folder)) GTEST_SKIP() << "needs ../shared/data";
    const std::string base = folder + "llama.cpp-cases/ggml-vocab-" + name + ".gguf";
    const std::string inputs = files::read_file(base + ".inp");
    const std::string outputs = files::read_file(base + ".out");
    const Tokenizer tokenizer =
        name == "gpt-2"
            ? Tokenizer::load(folder + "gpt2")
            : Tokenizer::from_json(files::read_file(folder + name + "/tokenizer.json"), "", name);
    const std::string separator = "\n__ggml_vocab_test__\n";
    std::size_t at = 0;
    std::size_t line = 0;
    int count = 0;
    while (at < inputs.size()) {
      const std::size_t end = std::min(inputs.find(separator, at), inputs.size());
      const std::size_t line_end = std::min(outputs.find('\n', line), outputs.size());
      std::string got;
      for (const std::int32_t id : tokenizer.encode_plain(inputs.substr(at, end - at))) {
        got += " " + std::to_string(id);
      }
      EXPECT_EQ(got, outputs.substr(line, line_end - line)) << name << " case " << count;
      at = end + separator.size();
      line = line_end + 1;
      ++count;
    }
    EXPECT_GE(count, 46);
  }
}

TEST(Tokenizer, Stories260K) {
  if (!has_shared("models/stories260K")) GTEST_SKIP() << "needs ../shared/models";
  const Tokenizer tokenizer = Tokenizer::load("../shared/models/stories260K");
  EXPECT_EQ(tokenizer.vocab_size(), 512);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_EQ(tokenizer.pad_id(), std::nullopt);
  EXPECT_THAT(tokenizer.encode("Once upon a time"), ElementsAre(1, 403, 407, 261, 378));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("Once upon a time")), "Once upon a time");
  EXPECT_THAT(tokenizer.encode_plain("</s>"), ElementsAre(2));
  EXPECT_EQ(tokenizer.encode_literal("</s>").size(), 5u);
}

// Phi-3's config says add_bos_token, and transformers 5 then rebuilds the post-processor.
TEST(Tokenizer, ConfigAddsBos) {
  if (!has_shared("data/tokenizer/phi-3")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/data/tokenizer/phi-3");
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre(1, 263));
  EXPECT_THAT(tokenizer.encode_plain("a"), ElementsAre(263));
  EXPECT_THAT(tokenizer.prefix_ids(), ElementsAre(1));
}

TEST(Tokenizer, ContinuationPutsNothingBefore) {
  if (!has_shared("models/stories260K")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/models/stories260K");
  std::vector<std::int32_t> ids = tokenizer.encode("Once");
  for (const char* part : {" upon", " a", " time</s>"}) {
    const auto more = tokenizer.encode_continuation(part);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  EXPECT_EQ(tokenizer.decode(ids), "Once upon a time</s>");
}

// Code points, and what the post-processor puts around is nowhere.
TEST(Tokenizer, OffsetsAreCharacters) {
  if (!has_shared("data/tokenizer/phi-3")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/data/tokenizer/phi-3");
  const auto spans = tokenizer.encode_spans("\xC3\xA9t\xC3\xA9 \xE6\x97\xA5");
  EXPECT_EQ(spans.front().id, 1);
  EXPECT_EQ(spans.front().end, 0u);
  EXPECT_EQ(spans.back().end, 5u);
}

// 0xE2 0x82 begins a character, 0xFF none: one U+FFFD each, as Python's and Rust's decoders give.
TEST(Tokenizer, InvalidUtf8BecomesReplacementCharacters) {
  if (!has_shared("data/tokenizer/smollm2")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/data/tokenizer/smollm2");
  EXPECT_EQ(tokenizer.encode("a\xE2\x82"
                             "b\xFF"),
            tokenizer.encode("a\xEF\xBF\xBD"
                             "b\xEF\xBF\xBD"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\xED\xA0\x80")),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Tokenizer, StreamKeepsUnfinishedCharactersBack) {
  if (!has_shared("data/tokenizer/smollm2")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/data/tokenizer/smollm2");
  const std::string text = "a \xF0\x9F\xA6\x84 z";  // a unicorn, of several tokens
  const auto ids = tokenizer.encode(text);
  StreamDecoder decoder(tokenizer);
  std::string seen;
  for (const std::int32_t id : ids) {
    const std::string part = decoder.push(id);
    EXPECT_EQ(part.find("\xEF\xBF\xBD"), std::string::npos);
    seen += part;
  }
  EXPECT_EQ(seen, text);
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.push(ids[0]), "a");  // begins anew
}

TEST(Tokenizer, ManyTextsByManyThreads) {
  if (!has_shared("data/tokenizer/smollm2")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/data/tokenizer/smollm2");
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i) texts.push_back("text number " + std::to_string(i * 7919));
  const auto ids = encode_many(tokenizer, texts, 4);
  ASSERT_EQ(ids.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(ids[i], tokenizer.encode(texts[i]));
  EXPECT_TRUE(encode_many(tokenizer, {}, 4).empty());
}

// Ids of tokenizers 0.23.3. A mark goes before the input's first character alone: not where that
// was cut off, or two became one; but where a normal form took it apart, what is left of it stands
// there.
TEST(Tokenizer, TheStartIsWhereTheFirstCharacterStands) {
  const Tokenizer tokenizer = Tokenizer::from_json(R"({
    "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "NFKD"},
      {"type": "StripAccents"}]},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first",
                      "split": true},
    "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {
      "<unk>": 0, "\u2581\"w": 1, "\"w": 2, "\u2581\u0e32": 3, "\u0e32": 4, "\u2581e": 5,
      "e": 6}}})",
                                                   "", "test");
  const std::pair<const char*, std::int32_t> cases[] = {
      {"``w", 2}, {"\u0e33", 3}, {"\u00e9", 5}, {"\u0301e", 6}};
  for (const auto& [text, id] : cases) {
    EXPECT_EQ(tokenizer.encode(text), std::vector<std::int32_t>{id}) << text;
    EXPECT_EQ(tokenizer.encode_spans(text).at(0).id, id) << text;
  }
}

TEST(Tokenizer, SavesAsItCame) {
  if (!has_shared("data/tokenizer/phi-3")) GTEST_SKIP() << "needs ../shared";
  const std::string from = "../shared/data/tokenizer/phi-3";
  const std::string to = ::testing::TempDir() + "plumb_saved";
  const Tokenizer tokenizer = Tokenizer::load(from);
  save_tokenizer(tokenizer, to);
  for (const std::string name : {"/tokenizer.json", "/tokenizer_config.json"}) {
    EXPECT_EQ(files::read_file(from + name), files::read_file(to + name));
  }
  EXPECT_EQ(Tokenizer::load(to).hash(), tokenizer.hash());
  EXPECT_NE(Tokenizer::from_json(tokenizer.json(), "", "t").hash(), tokenizer.hash());
}

}  // namespace
}  // namespace plumb::test
