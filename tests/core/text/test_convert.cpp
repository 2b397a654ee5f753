// Files of other libraries that are broken or mean harm: an Error that names place and rule. That
// good ones become what transformers makes of them is shown by test_tokenizer_zoo.cpp.
#include "core/text/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/io/files.h"
#include "core/text/base64.h"
#include "core/text/tokenizer.h"

namespace plumb::text {
namespace {

using ::testing::HasSubstr;

template <class Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// A protobuf field of bytes.
std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) +
         std::string(1, static_cast<char>(bytes.size())) + bytes;
}
std::string number(int field_number, int value) {
  return {static_cast<char>(field_number << 3), static_cast<char>(value)};
}
std::string piece(const std::string& text, int kind = 1) {
  return field(1, field(1, text) + number(3, kind));
}
std::string model() {  // unigram
  return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) +
         piece(
             "\xE2\x96\x81"
             "a") +
         piece("b") + field(2, number(3, 1));
}
std::string spm_error(const std::string& bytes) {
  return error_of([&] { convert_sentencepiece(bytes, std::nullopt, "t.model"); });
}

TEST(Convert, SmallSentencePiece) {
  const Converted made = convert_sentencepiece(model(), std::nullopt, "t.model");
  const Tokenizer tokenizer = Tokenizer::from_json(made.json, made.config.dump(), "t");
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_THAT(tokenizer.encode(" ab</s>"), ::testing::ElementsAre(3, 4, 2));
}

TEST(Convert, SentencePieceCutAnywhere) {
  const std::string whole = model();
  int refused = 0;
  for (std::size_t n = 0; n < whole.size(); ++n) refused += !spm_error(whole.substr(0, n)).empty();
  EXPECT_GE(refused, static_cast<int>(whole.size()) - 8);  // some cuts fall between fields
}

TEST(Convert, SentencePieceThatLies) {
  EXPECT_THAT(spm_error(""), HasSubstr("no pieces"));
  EXPECT_THAT(spm_error(model() + piece("b")), HasSubstr("comes twice"));
  EXPECT_THAT(spm_error(piece("\xFF")), HasSubstr("UTF-8"));
  EXPECT_THAT(spm_error(piece("a", 9)), HasSubstr("unknown type"));
  EXPECT_THAT(spm_error("\x0A\xFF\xFF\xFF\xFF\x0F"), HasSubstr("are left"));
  EXPECT_THAT(spm_error(std::string(12, '\xFF')), HasSubstr("64 bits"));
  EXPECT_THAT(spm_error(model() + field(2, number(3, 3))), HasSubstr("words or characters"));
  EXPECT_THAT(spm_error(model() + field(2, std::string("\xC0\x02\x63", 3))), HasSubstr("id 99"));
  EXPECT_THAT(error_of([] { convert_sentencepiece(model(), TokenizerClass::llama, "t.model"); }),
              HasSubstr("correct tokenizer_class"));
}

TEST(Convert, CharsmapsThatLie) {
  const std::string junk[] = {"", "abc", std::string("\xFF\xFF\xFF\xFF", 4) + "abcd",
                              std::string("\x04\0\0\0\xFF\xFF\xFF\x7F", 8) + "x",
                              std::string("\x04\0\0\0\x00\x00\x00\x00\xFF", 9)};
  for (const std::string& bytes : junk) {
    Json json = parse_json(R"({"version": "1.0", "added_tokens": [], "normalizer":
        {"type": "Precompiled", "precompiled_charsmap": ""}, "model":
        {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]]}})",
                           "t");
    json["normalizer"]["precompiled_charsmap"] = to_base64(bytes);
    // Refused, or harmless: a trie that leads nowhere finds nothing.
    const std::string error = error_of(
        [&] { EXPECT_EQ(Tokenizer::from_json(json.dump(), "", "t").encode("a").size(), 1u); });
    if (!error.empty()) {
      EXPECT_THAT(error, HasSubstr("precompiled character map"));
    }
  }
}

TEST(Convert, TiktokenLines) {
  const auto error = [](const std::string& file) {
    return error_of([&] { convert_tiktoken(file, {".", {}}, "t.tiktoken"); });
  };
  EXPECT_EQ(error("YQ== 0\nYg== 1\n"), "");
  EXPECT_TRUE(is_tiktoken("YQ== 0\n"));
  EXPECT_FALSE(is_tiktoken(model()));
  EXPECT_THAT(error(""), HasSubstr("no tokens"));
  EXPECT_THAT(error("YQ== 0\nYg== 2\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("YQ= 0\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("YQ== 99999999999999999999\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("YQ== 0\nYQ== 1\n"), HasSubstr("comes twice"));
  EXPECT_THAT(error(to_base64(std::string(3000, 'a')) + " 0\n"), HasSubstr("at most 1024"));
}

TEST(Convert, Llama3FolderOfMeta) {
  std::string file;
  for (int i = 0; i < 128000; ++i) {
    const std::string token =
        i < 256 ? std::string(1, static_cast<char>(i)) : "t" + std::to_string(i);
    file += to_base64(token) + " " + std::to_string(i) + "\n";
  }
  const std::string folder = ::testing::TempDir() + "plumb_llama3";
  files::create_directories(folder);
  files::publish(folder + "/tokenizer.model", file);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  EXPECT_EQ(tokenizer.vocab_size(), 128256);
  EXPECT_EQ(tokenizer.bos_id(), 128000);
  EXPECT_EQ(tokenizer.eos_id(), 128001);
  EXPECT_EQ(tokenizer.token_to_id("<|eot_id|>"), 128009);
  EXPECT_EQ(tokenizer.token_to_id("<|reserved_special_token_247|>"), 128255);
  EXPECT_EQ(tokenizer.encode("t300").front(), 128000);
}

TEST(Convert, MergesAndWords) {
  const auto error = [](const std::string& merges) {
    return error_of([&] {
      convert_vocab_and_merges(R"({"a": 0})", merges, TokenizerClass::gpt2, "vocab.json");
    });
  };
  EXPECT_EQ(error("#version: 0.2\n"), "");
  EXPECT_THAT(error("a b c\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("\xFF b\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of([] { convert_word_list("a\n\xFF\n", Json::object(), "vocab.txt"); }),
              HasSubstr("UTF-8"));
  EXPECT_THAT(error_of([] { Tokenizer::load(::testing::TempDir() + "plumb_nothing_here"); }),
              HasSubstr("tokenizer.model"));
}

}  // namespace
}  // namespace plumb::text
