// The special token that ends an answer, by the template.
#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/text/chat_template.h"
#include "tests/core/text/chat_cases.h"

namespace plumb::test {
namespace {

const Json kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
const std::vector<std::string> kMarks = {"<|im_start|>", "<|im_end|>", "<|end|>"};

// The text of the token that ends a turn; empty: none.
std::string end_in(const std::string& jinja) {
  const Tokenizer tokenizer = tokenizer_with(kTokens, kMarks, jinja);
  const auto id = end_of_turn(tokenizer);
  return id ? tokenizer.id_to_token(*id) : "";
}

constexpr const char* kLoop = "{% for m in messages %}";

TEST(EndOfTurn, IsTheSpecialTokenRightAfterTheAnswer) {
  EXPECT_EQ(end_in(jinja_of(ChatFormat::chatml, tokenizer_with(kTokens, kMarks))), "<|im_end|>");
  EXPECT_EQ(end_in(jinja_of(ChatFormat::llama2, tokenizer_with(kTokens, kMarks))), "</s>");
  // Phi-3: <|end|> ends the turn, and EOS the conversation.
  EXPECT_EQ(
      end_in(kLoop + std::string("{{ m.content + '<|end|>\\n' }}{% endfor %}{{ eos_token }}")),
      "<|end|>");
}

TEST(EndOfTurn, IsNothingWhereWordsOrNothingFollow) {
  EXPECT_EQ(end_in(kLoop + std::string("{{ m.content }}\\n### End</s>{% endfor %}")), "");
  EXPECT_EQ(end_in(kLoop + std::string("<|im_start|>{{ m.content }}{% endfor %}")), "");
}

TEST(EndOfTurn, IsNothingWithoutATemplateThatRenders) {
  EXPECT_FALSE(end_of_turn(tokenizer_with(kTokens, kMarks)).has_value());
  EXPECT_EQ(end_in("{{ raise_exception('no') }}"), "");
  EXPECT_EQ(end_in("{% for"), "");
}

TEST(EndOfTurn, TheTemplateGoesWithTheTokenizer) {
  const std::string folder = ::testing::TempDir() + "plumb_chat_end";
  const Tokenizer plain = tokenizer_with(kTokens, kMarks);
  const std::string jinja = jinja_of(ChatFormat::chatml, plain);
  save_tokenizer(with_chat_template(plain, jinja), folder);
  const Tokenizer opened = Tokenizer::load(folder);
  EXPECT_EQ(ChatTemplate::own(opened)->name(), "chatml");
  EXPECT_EQ(opened.id_to_token(end_of_turn(opened).value()), "<|im_end|>");
  EXPECT_EQ(opened.eos_id(), plain.eos_id());
}

}  // namespace
}  // namespace plumb::test
