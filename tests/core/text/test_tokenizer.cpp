#include "core/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/files.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::ElementsAre;

// GPT-2's bytes for these 46 strings as llama.cpp expects them: a second, independent oracle.
TEST(Tokenizer, LlamaCppCases) {
  for (const std::string name : {"falcon", "phi-3"}) {
    const std::string folder = "../shared/data/tokenizer/";
    if (!files::exists(folder)) GTEST_SKIP() << "needs ../shared/data";
    const std::string base = folder + "llama.cpp-cases/ggml-vocab-" + name + ".gguf";
    const std::string inputs = files::read_file(base + ".inp");
    const std::string outputs = files::read_file(base + ".out");
    const Tokenizer tokenizer =
        Tokenizer::from_json(files::read_file(folder + name + "/tokenizer.json"), "", name);
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

}  // namespace
}  // namespace plumb::test
