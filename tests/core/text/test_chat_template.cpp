#include "core/text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/io/files.h"
#include "core/text/train.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

const std::vector<Message> kTalk = {{Role::system, "Be brief."},
                                    {Role::user, "Hi </s> there"},
                                    {Role::assistant, "Hello."},
                                    {Role::user, "Bye"},
                                    {Role::assistant, "See you"}};

std::string text_of(ChatFormat format, std::span<const Message> messages,
                    GenerationPrompt prompt = GenerationPrompt::omit) {
  std::string text;
  for (const RenderedPiece& piece : render(format, messages, prompt)) {
    text += piece.token == TurnToken::bos ? "<B>" : "";
    text += piece.text;
    text += piece.token == TurnToken::eos ? "<E>" : "";
  }
  return text;
}

Tokenizer small_tokenizer(std::vector<std::string> special = {}, const std::string& bos = "") {
  TokenizerTraining options;
  options.vocab_size = 400;
  options.min_frequency = 1;
  options.bos_token = bos;
  options.eos_token = "</s>";
  options.special_tokens = std::move(special);
  const std::vector<std::string> texts = {
      "Hi there Hello. Bye See you Human: Assistant: Be brief."};
  return train_tokenizer(options, texts);
}

TEST(ChatTemplate, Texts) {
  EXPECT_EQ(text_of(ChatFormat::chatml, kTalk),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi </s> there<|im_end|>\n"
            "<|im_start|>assistant\nHello.<|im_end|><E>\n<|im_start|>user\nBye<|im_end|>\n"
            "<|im_start|>assistant\nSee you<|im_end|><E>\n");
  EXPECT_EQ(text_of(ChatFormat::plain, kTalk),
            "Be brief.\n\nHuman: Hi </s> there\n\nAssistant: Hello.<E>\n\nHuman: Bye\n\nAssistant: "
            "See you<E>");
  EXPECT_EQ(text_of(ChatFormat::llama2, kTalk),
            "<B>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi </s> there [/INST] Hello. <E>"
            "<B>[INST] Bye [/INST] See you <E>");
  EXPECT_EQ(text_of(ChatFormat::alpaca, kTalk),
            "Be brief.\n\n### Instruction:\nHi </s> there\n\n### Response:\nHello.<E>\n\n"
            "### Instruction:\nBye\n\n### Response:\nSee you<E>");
  EXPECT_EQ(text_of(ChatFormat::none, kTalk), "Be brief.Hi </s> thereHello.<E>ByeSee you<E>");
  const std::span<const Message> open(kTalk.data(), 4);
  EXPECT_TRUE(text_of(ChatFormat::chatml, open, GenerationPrompt::add)
                  .ends_with("<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_TRUE(
      text_of(ChatFormat::plain, open, GenerationPrompt::add).ends_with("Bye\n\nAssistant:"));
}

TEST(ChatTemplate, OrderOfTurns) {
  const std::vector<Message> doubled = {{Role::user, "a"}, {Role::user, "b"}};
  EXPECT_THROW(render(ChatFormat::llama2, doubled), Error);
  EXPECT_THROW(render(ChatFormat::alpaca, doubled), Error);
  EXPECT_NO_THROW(render(ChatFormat::chatml, doubled));
  const std::vector<Message> late = {{Role::user, "a"}, {Role::system, "b"}};
  EXPECT_THROW(render(ChatFormat::plain, late), Error);
  EXPECT_THROW(render(ChatFormat::chatml, {}), Error);
  EXPECT_THROW(parse_chat_format("mistral", "data.template"), Error);
  EXPECT_THROW(parse_role("tool", "line 3"), Error);
}

// For every format: spans cover all tokens, trained ones decode to the assistant's words, user text
// never becomes a special token, and the whole decodes to what was rendered.
void check_spans(ChatFormat format, const Tokenizer& tokenizer) {
  const EncodedConversation encoded = encode_conversation(tokenizer, render(format, kTalk));
  std::int64_t at = 0;
  std::string trained;
  const std::int32_t eos = *tokenizer.eos_id();
  for (const Span& span : encoded.spans) {
    EXPECT_EQ(span.begin, at);
    EXPECT_LT(span.begin, span.end);
    at = span.end;
    const std::span<const std::int32_t> ids(encoded.ids.data() + span.begin, span.end - span.begin);
    if (span.is_trained) {
      EXPECT_EQ(span.role, Role::assistant);
      trained += "|" + tokenizer.decode(ids, SpecialTokens::keep);
    } else if (span.role == Role::user) {
      EXPECT_EQ(std::count(ids.begin(), ids.end(), eos), 0);
    }
  }
  EXPECT_EQ(at, static_cast<std::int64_t>(encoded.ids.size()));
  const bool has_im_end = tokenizer.token_to_id("<|im_end|>").has_value();
  if (format == ChatFormat::chatml && has_im_end) {
    EXPECT_EQ(trained, "|Hello.<|im_end|>|See you<|im_end|>");
  } else if (format == ChatFormat::chatml) {
    EXPECT_EQ(trained, "|Hello.<|im_end|></s>|See you<|im_end|></s>");
  } else if (format == ChatFormat::plain) {
    EXPECT_EQ(trained, "| Hello.</s>| See you</s>");
  } else if (format == ChatFormat::llama2) {
    EXPECT_EQ(trained, "| Hello. </s>| See you </s>");
  } else {
    EXPECT_EQ(trained, "|Hello.</s>|See you</s>");
  }
}

TEST(ChatTemplate, Spans) {
  for (const std::string& name : chat_format_names()) {
    SCOPED_TRACE(name);
    const ChatFormat format = parse_chat_format(name, "test");
    check_spans(format, small_tokenizer());
    check_spans(format, small_tokenizer({"<|im_start|>", "<|im_end|>"}, "<s>"));
  }
}

// A SentencePiece-style tokenizer puts a space before a text; not before each piece of one.
TEST(ChatTemplate, PiecesOfSentencePieceJoin) {
  if (!has_shared("models/stories260K")) GTEST_SKIP() << "needs ../shared";
  const Tokenizer tokenizer = Tokenizer::load("../shared/models/stories260K");
  const auto encoded = encode_conversation(tokenizer, render(ChatFormat::plain, kTalk));
  EXPECT_EQ(encoded.ids.front(), tokenizer.bos_id());
  EXPECT_EQ(
      tokenizer.decode(encoded.ids),
      "Be brief.\n\nHuman: Hi </s> there\n\nAssistant: Hello.\n\nHuman: Bye\n\nAssistant: See you");
}

TEST(ChatTemplate, JinjaRendersTheSameInTransformers) {
  if (!has_oracle()) GTEST_SKIP() << "needs .deps/oracle";
  const std::string folder = ::testing::TempDir() + "plumb_chat";
  const auto json_of = [](std::span<const Message> messages, bool add) {
    Json list = Json::array();
    for (const Message& m : messages) {
      list.push_back({{"role", std::string(role_name(m.role))}, {"content", m.content}});
    }
    return Json{{"messages", list}, {"add", add}};
  };
  files::create_directories(folder);
  const std::span<const Message> all(kTalk);
  const Json conversations = Json::array(
      {json_of(all, false), json_of(all.first(4), true), json_of(all.subspan(1), false)});
  files::publish(folder + "/conversations.json", conversations.dump());
  const auto small = [](bool has_specials) {
    return has_specials ? small_tokenizer({"<|im_start|>", "<|im_end|>"}, "<s>")
                        : small_tokenizer();
  };
  const auto folder_for = [&](const std::string& name, bool has_specials) {
    return folder + "/" + name + (has_specials ? "1" : "0");
  };
  std::string command = "tests/oracle/make_chat.py " + folder + "/conversations.json";
  for (const bool has_specials : {false, true}) {
    for (const std::string& name : chat_format_names()) {
      save_tokenizer_with_template(small(has_specials), parse_chat_format(name, "test"),
                                   folder_for(name, has_specials));
      command += " " + folder_for(name, has_specials);
    }
  }
  const Json rendered = parse_json(run_oracle(command), "oracle");
  for (const bool has_specials : {false, true}) {
    const Tokenizer tokenizer = small(has_specials);
    for (const std::string& name : chat_format_names()) {
      const ChatFormat format = parse_chat_format(name, "test");
      const Json& got = rendered[folder_for(name, has_specials)];
      const auto decoded = [&](std::span<const Message> messages, GenerationPrompt prompt) {
        const auto encoded = encode_conversation(tokenizer, render(format, messages, prompt));
        return tokenizer.decode(encoded.ids, SpecialTokens::keep);
      };
      EXPECT_EQ(got[0], decoded(all, GenerationPrompt::omit)) << name;
      EXPECT_EQ(got[1], decoded(all.first(4), GenerationPrompt::add)) << name;
      EXPECT_EQ(got[2], decoded(all.subspan(1), GenerationPrompt::omit)) << name;
      EXPECT_EQ(template_from_folder(Tokenizer::load(folder_for(name, has_specials))), format);
    }
  }
}

TEST(ChatTemplate, ForeignJinjaIsRefused) {
  const Tokenizer plain = small_tokenizer();
  EXPECT_EQ(template_from_folder(plain), std::nullopt);
  const Tokenizer foreign =
      Tokenizer::from_json(plain.json(), R"({"chat_template": "{{ messages }}"})", "t");
  try {
    template_from_folder(foreign);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.template"));
  }
}

}  // namespace
}  // namespace plumb::test
