// Against transformers, live: every template of ../shared/data/templates with every dialogue of
// make_chat_templates.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/text/chat_template.h"
#include "tests/core/text/chat_cases.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::IsEmpty;

constexpr const char* kTemplates = "../shared/data/templates/llama.cpp";

struct Outcome {
  std::string text;
  std::string error;
};

Outcome outcome_of(const ChatTemplate& chat, const Json& dialogue) {
  GenerationPrompt prompt = GenerationPrompt::omit;
  if (dialogue.value("add", false)) prompt = GenerationPrompt::add;
  if (dialogue.value("continue", false)) prompt = GenerationPrompt::continue_last;
  try {
    return {chat.render(conversation_of(dialogue), prompt), ""};
  } catch (const Error& error) {
    return {"", error.what()};
  }
}

// Whether both refuse; in the template's own words where it is the template that refuses.
bool agree(const Json& expected, const Outcome& got) {
  if (expected.contains("text")) return got.error.empty() && got.text == expected["text"];
  if (!expected["raised"]) return !got.error.empty();
  return got.error.ends_with(": " + expected["error"].get<std::string>());
}

TEST(ChatOracle, TemplatesOfTheFieldRenderAsInTransformers) {
  if (!has_oracle() || !has_shared("data/templates")) {
    GTEST_SKIP() << "needs .deps/oracle and ../shared/data/templates";
  }
  const Json file = parse_json(
      run_oracle(std::string("tests/oracle/make_chat_templates.py ") + kTemplates), "oracle");
  const Tokenizer tokenizer = tokenizer_with(file["special"]);
  std::vector<std::string> wrong;
  int texts = 0, refusals = 0;
  for (const auto& [name, rendered] : file["rendered"].items()) {
    const ChatTemplate chat =
        ChatTemplate::from_file(std::string(kTemplates) + "/" + name, tokenizer)
            .with_clock({"2024-07-26"});
    int of_this = 0;
    for (std::size_t i = 0; i < rendered.size(); ++i) {
      const Outcome got = outcome_of(chat, file["dialogues"][i]);
      (rendered[i].contains("text") ? texts : refusals) += 1;
      of_this += rendered[i].contains("text") ? 1 : 0;
      if (agree(rendered[i], got)) continue;
      wrong.push_back(name + ", dialogue " + std::to_string(i) + "\n  " + rendered[i].dump() +
                      "\n  got " + Json(got.text).dump() + got.error);
    }
    EXPECT_GE(of_this, 20) << name;
  }
  EXPECT_THAT(wrong, IsEmpty());
  EXPECT_GT(texts, 20 * 17);
  EXPECT_GT(refusals, 50);
}

}  // namespace
}  // namespace plumb::test
