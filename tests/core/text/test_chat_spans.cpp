// What of a conversation is trained under the field's own templates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/text/chat_template.h"
#include "tests/core/text/chat_cases.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

struct Model {
  std::string file;  // of ../shared/data/templates/llama.cpp
  Json special;
  std::vector<std::string> more;
};

const Model kLlama = {"meta-llama-Llama-3.1-8B-Instruct.jinja",
                      {{"bos_token", "<|begin_of_text|>"}, {"eos_token", "<|eot_id|>"}},
                      {"<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>"}};
const Model kQwen = {"Qwen-Qwen2.5-7B-Instruct.jinja",
                     {{"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}},
                     {"<|im_start|>"}};
const Model kPhi = {"microsoft-Phi-3.5-mini-instruct.jinja",
                    {{"bos_token", "<s>"}, {"eos_token", "<|endoftext|>"}},
                    {"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"}};
const Model kGemma = {"google-gemma-2-2b-it.jinja",
                      {{"bos_token", "<bos>"}, {"eos_token", "<eos>"}},
                      {"<start_of_turn>", "<end_of_turn>"}};
const Model kMistral = {"mistralai-Mistral-Nemo-Instruct-2407.jinja",
                        {{"bos_token", "<s>"}, {"eos_token", "</s>"}},
                        {"[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]"}};
const Model kDeepseek = {
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja",
    {{"bos_token", "<｜begin▁of▁sentence｜>"}, {"eos_token", "<｜end▁of▁sentence｜>"}},
    {"<｜User｜>", "<｜Assistant｜>"}};
const Model kCommand = {"CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja",
                        {{"bos_token", "<BOS_TOKEN>"}, {"eos_token", "<|END_OF_TURN_TOKEN|>"}},
                        {"<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|USER_TOKEN|>",
                         "<|SYSTEM_TOKEN|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"}};

Json said(const std::string& role, const std::string& words) {
  return {{"role", role}, {"content", words}};
}

const Json kTwoTurns = {said("user", "Hi"), said("assistant", "Hello."), said("user", "Bye"),
                        said("assistant", "See you")};

struct Result {
  std::string trained;  // joined by |
  EncodedConversation encoded;
};

Result result_of(const ChatTemplate& chat, const Tokenizer& tokenizer, const Json& dialogue) {
  Result result;
  result.encoded = chat.encode(conversation_of(dialogue));
  for (const Span& span : result.encoded.spans) {
    if (!span.is_trained) continue;
    const std::span<const std::int32_t> ids(result.encoded.ids.data() + span.begin,
                                            static_cast<std::size_t>(span.end - span.begin));
    result.trained += "|" + tokenizer.decode(ids, SpecialTokens::keep);
  }
  return result;
}

Result result_of(const Model& model, const Json& dialogue) {
  const Tokenizer tokenizer = tokenizer_with(model.special, model.more);
  const auto chat =
      ChatTemplate::from_file("../shared/data/templates/llama.cpp/" + model.file, tokenizer);
  return result_of(chat, tokenizer, dialogue);
}

Json dialogue_of(const Json& messages) {
  return {{"messages", messages}};
}

class ChatSpans : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_shared("data/templates")) GTEST_SKIP() << "needs ../shared/data/templates";
  }
};

TEST_F(ChatSpans, TurnsWithTheirEnds) {
  const Json dialogue = dialogue_of(kTwoTurns);
  EXPECT_EQ(result_of(kLlama, dialogue).trained, "|Hello.<|eot_id|>|See you<|eot_id|>");
  EXPECT_EQ(result_of(kQwen, dialogue).trained, "|Hello.<|im_end|>|See you<|im_end|>");
  EXPECT_EQ(result_of(kGemma, dialogue).trained, "|Hello.<end_of_turn>|See you<end_of_turn>");
  EXPECT_EQ(result_of(kMistral, dialogue).trained, "|Hello.</s>|See you</s>");
  EXPECT_EQ(result_of(kDeepseek, dialogue).trained,
            "|Hello.<｜end▁of▁sentence｜>|See you<｜end▁of▁sentence｜>");
  // Phi writes EOS after the last turn only.
  EXPECT_EQ(result_of(kPhi, dialogue).trained, "|Hello.<|end|>|See you<|end|>\n<|endoftext|>");
  // Command R opens another turn behind every conversation.
  EXPECT_EQ(result_of(kCommand, dialogue).trained,
            "|<|START_RESPONSE|>Hello.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"
            "|<|START_RESPONSE|>See you<|END_RESPONSE|><|END_OF_TURN_TOKEN|>");
}

TEST_F(ChatSpans, ToolCallsAreTheAssistantsAndResultsAreNot) {
  const Json call = {{"role", "assistant"},
                     {"tool_calls",
                      {{{"id", "abcdef123"},
                        {"type", "function"},
                        {"function", {{"name", "f"}, {"arguments", {{"x", 1}}}}}}}}};
  const Json messages = {said("user", "Hi"),
                         call,
                         {{"role", "tool"}, {"content", "42"}, {"tool_call_id", "abcdef123"}},
                         said("assistant", "It is 42.")};
  EXPECT_EQ(result_of(kQwen, dialogue_of(messages)).trained,
            "|<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call><|im_end|>"
            "|It is 42.<|im_end|>");
  EXPECT_EQ(result_of(kMistral, dialogue_of(messages)).trained,
            "|[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"x\": 1}, \"id\": \"abcdef123\"}]</s>"
            "|It is 42.</s>");
}

// Mistral's puts the system message into the last turn of a user, and only while it is the last
// message: what the model saw before its answers is not in the whole.
TEST_F(ChatSpans, ARewrittenPastIsNoticed) {
  Json messages = kTwoTurns;
  messages.insert(messages.begin(), said("system", "Be brief."));
  const Result result = result_of(kMistral, dialogue_of(messages));
  EXPECT_EQ(result.trained, "");
  EXPECT_EQ(result.encoded.untrained_turns, 2);
  EXPECT_THAT(result.encoded.untrained_because,
              HasSubstr("message 3: the template renders the turns before it otherwise"));
}

// As Qwen3's: thoughts are shown after the last question only.
constexpr const char* kForgetful =
    "{% set last = namespace(at=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set last.at = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{% if m.role == 'assistant' and loop.index0 < last.at %}"
    "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

TEST(ChatSpansOf, ForgottenThoughtsLeaveTheirTurnUntrained) {
  const Tokenizer tokenizer =
      tokenizer_with({{"eos_token", "<|im_end|>"}}, {"<|im_start|>"}, kForgetful);
  const auto chat = *ChatTemplate::own(tokenizer);
  const Json messages = {said("user", "1"), said("assistant", "<think>a</think>one"),
                         said("user", "2"), said("assistant", "<think>b</think>two")};
  const Result result = result_of(chat, tokenizer, dialogue_of(messages));
  EXPECT_EQ(result.trained, "|<think>b</think>two<|im_end|>");
  EXPECT_EQ(result.encoded.untrained_turns, 1);
  EXPECT_THAT(result.encoded.untrained_because, HasSubstr("message 2: "));
  // Without thoughts nothing is forgotten.
  EXPECT_EQ(result_of(chat, tokenizer, dialogue_of(kTwoTurns)).encoded.untrained_turns, 0);
}

TEST(ChatSpansOf, AnAnswerWithAUsersWordsInItIsNotTrained) {
  const Tokenizer tokenizer =
      tokenizer_with({{"eos_token", "</s>"}}, {},
                     "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}"
                     "{{ '>' + m.content + ' (to: ' + messages[0].content + ')' + eos_token }}{% "
                     "endif %}{% endfor %}");
  const Result result = result_of(*ChatTemplate::own(tokenizer), tokenizer, dialogue_of(kTwoTurns));
  EXPECT_EQ(result.trained, "");
  EXPECT_THAT(result.encoded.untrained_because, HasSubstr("words of another stand within it"));
}

}  // namespace
}  // namespace plumb::test
