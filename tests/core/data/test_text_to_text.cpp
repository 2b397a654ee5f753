// Samples of models that read a prompt with an encoder: prompt and answer are two texts, each as
// the tokenizer encodes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/chat_template.h"
#include "tests/core/data/prepared.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int32_t kEos = 1, kFirstLetter = 4;

enum class TextEnd { nothing, eos };

// Forty pieces, put together as in T5's tokenizer.json: <pad>, </s>, <unk>, a bare space, a to z
// (4 to 29), and a few longer ones.
Tokenizer unigram_tokenizer(TextEnd end = TextEnd::eos) {
  Json pieces = Json::array();
  const auto add = [&](const std::string& piece, double score) {
    pieces.push_back(Json::array({piece, score}));
  };
  for (const char* special : {"<pad>", "</s>", "<unk>"}) add(special, 0.0);
  add("\u2581", -2.0);
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    add(std::string(1, letter), -2.1 - 0.1 * (letter - 'a'));
  }
  double score = -2.0;
  for (const char* piece : {"\u2581a", "ab", "the", "\u2581the", ".", ",", "ing", "er", "on"}) {
    add(piece, score -= 0.1);
  }
  Json added = Json::array();
  for (int id = 0; id < 3; ++id) {
    added.push_back({{"id", id},
                     {"content", pieces[id][0]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const Json metaspace = {{"type", "Metaspace"},
                          {"replacement", "\u2581"},
                          {"prepend_scheme", "always"},
                          {"split", true}};
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json eos = {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}};
  Json single = Json::array({text}), of_eos = Json::object();
  if (end == TextEnd::eos) {
    single.push_back(eos);
    of_eos["</s>"] = {{"id", "</s>"}, {"ids", {kEos}}, {"tokens", {"</s>"}}};
  }
  const Json json = {
      {"version", "1.0"},
      {"added_tokens", added},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "Sequence"},
        {"pretokenizers", Json::array({{{"type", "WhitespaceSplit"}}, metaspace})}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", single},
        {"pair", Json::array({text, {{"Sequence", {{"id", "B"}, {"type_id", 0}}}}})},
        {"special_tokens", of_eos}}},
      {"decoder", metaspace},
      {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", pieces}, {"byte_fallback", false}}}};
  return Tokenizer::from_json(json.dump(), R"({"eos_token": "</s>", "pad_token": "<pad>"})", "t5");
}

PreparedData prepare_pairs(const TempFolder& folder, const std::string& rows,
                           SampleKind kind = SampleKind::conversation, DataOptions options = {},
                           TextEnd end = TextEnd::eos) {
  const DataOptions base = options_for(folder, {folder.put("rows.jsonl", rows)});
  options.path = base.path;
  options.store = base.store;
  if (options.chat_template == "auto") options.chat_template = base.chat_template;
  DataRequest request = request_for(kind);
  request.is_text_to_text = true;
  return open_or_prepare(options, unigram_tokenizer(end), request);
}

std::vector<std::int32_t> joined(std::vector<std::int32_t> ids,
                                 const std::vector<std::int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

TEST(TextToText, PromptAndAnswerAreEachEncodedAsAText) {
  TempFolder folder;
  const PreparedData data = prepare_pairs(folder, pair_row("the bab", "abing."));
  const Sequence sequence = data.train.sample(0).only();
  // As the tokenizers package has them: "_the" "_" "b" "ab" </s>, then "_" "ab" "ing" "." </s>.
  EXPECT_THAT(sequence.tokens, ElementsAre(33, 3, 5, 31, kEos, 3, 31, 36, 34, kEos));
  ASSERT_EQ(sequence.spans.size(), 2u);
  EXPECT_EQ(sequence.spans[0].end, 5);
  EXPECT_FALSE(sequence.spans[0].is_trained);
  EXPECT_EQ(sequence.spans[1].begin, 5);
  EXPECT_EQ(sequence.spans[1].end, 10);
  EXPECT_TRUE(sequence.spans[1].is_trained);
  EXPECT_EQ(data.accounting().trained_tokens, 5);
  EXPECT_EQ(data.accounting().ends_trained, 1);
}

// Without an EOS of the tokenizer's own the answer gets one all the same: the model must learn to
// stop.
TEST(TextToText, AnAnswerEndsWithEosWhateverTheTokenizerAdds) {
  TempFolder folder;
  const PreparedData data =
      prepare_pairs(folder, pair_row("a", "b"), SampleKind::conversation, {}, TextEnd::nothing);
  EXPECT_THAT(data.train.sample(0).only().tokens, ElementsAre(30, 3, kFirstLetter + 1, kEos));
  EXPECT_THAT(error_of([&] {
                prepare_pairs(folder, pair_row("", "b"), SampleKind::conversation, {},
                              TextEnd::nothing);
              }),
              AllOf(HasSubstr("rows.jsonl:1"), HasSubstr("no token")));
}

TEST(TextToText, TheLastAnswerIsTheTargetAndAllBeforeItThePrompt) {
  TempFolder folder;
  const auto turn = [](const char* role, const char* content) {
    return Json{{"role", role}, {"content", content}};
  };
  const Json turns = Json::array({turn("user", "a b"), turn("assistant", "the"), turn("user", "on"),
                                  turn("assistant", "er"), turn("user", "left over")});
  DataOptions options;
  options.chat_template = "plain";
  const PreparedData data = prepare_pairs(folder, Json{{"messages", turns}}.dump() + "\n",
                                          SampleKind::conversation, options);
  const Tokenizer tokenizer = unigram_tokenizer();
  Conversation before;
  before.messages = {{Role::user, "a b", ""}, {Role::assistant, "the", ""}, {Role::user, "on", ""}};
  const auto prompt =
      ChatTemplate::builtin(ChatFormat::plain, tokenizer).encode(before, GenerationPrompt::add).ids;
  EXPECT_EQ(data.train.sample(0).only().tokens,
            joined(joined(prompt, {kEos}), tokenizer.encode("er")));
  EXPECT_THAT(trained_texts(data.train.sample(0).only(), tokenizer), ElementsAre("er</s>"));
}

TEST(TextToText, PromptsOfRolloutsAreThePromptsOfTraining) {
  TempFolder folder, other;
  const std::string rows = pair_row("the bab", "abing.");
  const Sequence trained = prepare_pairs(folder, rows).train.sample(0).only();
  const Sequence prompt = prepare_pairs(other, rows, SampleKind::prompt).train.sample(0).only();
  EXPECT_THAT(prompt.tokens, ElementsAre(33, 3, 5, 31, kEos));
  EXPECT_TRUE(std::equal(prompt.tokens.begin(), prompt.tokens.end(), trained.tokens.begin()));
}

TEST(TextToText, RowsThatDoNotFitLoseTheirAnswersEnd) {
  TempFolder folder, other;
  DataOptions options;
  options.max_length = 7;
  const PreparedData data =
      prepare_pairs(folder, pair_row("the bab", "abing."), SampleKind::conversation, options);
  EXPECT_THAT(data.train.sample(0).only().tokens, ElementsAre(33, 3, 5, 31, kEos, 3, 31));
  options.max_length = 5;
  EXPECT_THAT(error_of([&] {
                prepare_pairs(other, pair_row("the bab", "abing."), SampleKind::conversation,
                              options);
              }),
              HasSubstr("no trained token is left of its 10 at max_length 5"));
}

TEST(TextToText, TextsAreRefused) {
  TempFolder folder;
  EXPECT_THAT(error_of([&] { prepare_pairs(folder, "{\"text\": \"abc\"}\n"); }),
              AllOf(HasSubstr("rows.jsonl:1"), HasSubstr("text-to-text"), HasSubstr("prompt")));
}

TEST(TextToText, AStoreOfOneKindOfModelIsNotTheOthers) {
  TempFolder folder;
  const DataOptions options = options_for(folder, {folder.put("a.jsonl", pair_row("a", "b"))});
  DataRequest request = request_for(SampleKind::conversation);
  const std::string flat = store_path(options, unigram_tokenizer(), request);
  request.is_text_to_text = true;
  EXPECT_NE(store_path(options, unigram_tokenizer(), request), flat);
}

}  // namespace
}  // namespace plumb
