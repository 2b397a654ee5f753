#include "core/text/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

using ::testing::HasSubstr;

TokenizerTraining options_for(TokenizerKind kind, std::int64_t vocab_size) {
  TokenizerTraining options;
  options.kind = kind;
  options.vocab_size = vocab_size;
  options.pad_token = "<pad>";
  return options;
}

Json model_of(const Tokenizer& tokenizer) {
  return parse_json(tokenizer.json(), "trained")["model"];
}

// Vocabularies are compared as sets of pairs: files order them differently.
std::map<std::string, int> sorted(const Json& vocab) {
  return vocab.get<std::map<std::string, int>>();
}

void expect_same(const Json& expected, const std::vector<std::string>& texts, std::int64_t size) {
  for (const int threads : {1, 3}) {
    TokenizerTraining options = options_for(TokenizerKind::bpe, size);
    options.threads = threads;
    const Json bpe = model_of(train_tokenizer(options, texts));
    EXPECT_EQ(bpe["merges"], expected["bpe"]["merges"]);
    EXPECT_EQ(sorted(bpe["vocab"]), sorted(expected["bpe"]["vocab"]));
  }
  const Json word = model_of(train_tokenizer(options_for(TokenizerKind::word, 120), texts));
  EXPECT_EQ(sorted(word["vocab"]), sorted(expected["word"]));
}

TEST(TrainTokenizer, SameAsPackage) {
  const Json expected = read_json("tests/oracle/fixtures/tokenizer/training.json");
  expect_same(expected, {expected["text"].get<std::string>()}, 600);
}

TEST(TrainTokenizer, SameAsPackageOnTinyShakespeare) {
  const std::string path = "../shared/data/pretrain/tinyshakespeare.txt";
  if (!has_oracle() || !files::exists(path)) GTEST_SKIP() << "needs .deps/oracle and ../shared";
  const Json expected =
      parse_json(run_oracle("tests/oracle/make_tokenizer_training.py " + path + " 1000"), "oracle");
  expect_same(expected, {files::read_file(path)}, 1000);
  const std::vector<std::string> paths = {path};
  const Json from_file =
      model_of(train_tokenizer_from_files(options_for(TokenizerKind::bpe, 1000), paths));
  EXPECT_EQ(from_file["merges"], expected["bpe"]["merges"]);
}

TEST(TrainTokenizer, FilesInPartsAreOneText) {
  const std::string folder = ::testing::TempDir() + "plumb_train";
  files::create_directories(folder);
  std::string text;  // larger than one part of a file
  for (int i = 0; text.size() < (9 << 20); ++i) {
    text += "line " + std::to_string(i % 977) + (i % 5 ? "\n" : " \n\n\n ") + "w" +
            std::string(i % 7, 'x');
  }
  files::publish(folder + "/big.txt", text);
  const TokenizerTraining options = options_for(TokenizerKind::bpe, 700);
  const std::vector<std::string> paths = {folder + "/big.txt"};
  const std::vector<std::string> texts = {text};
  EXPECT_EQ(train_tokenizer_from_files(options, paths).json(),
            train_tokenizer(options, texts).json());
}

std::string shown(const std::vector<std::int32_t>& ids) {
  std::string out;
  for (const std::int32_t id : ids) out += (out.empty() ? "" : ", ") + std::to_string(id);
  return "[" + out + "]";
}

TEST(TrainTokenizer, TransformersReadsIt) {
  if (!has_oracle()) GTEST_SKIP() << "needs .deps/oracle";
  const Json corpus = read_json("tests/oracle/fixtures/tokenizer/training.json");
  const std::vector<std::string> texts = {corpus["text"].get<std::string>()};
  std::string folders;
  std::string expected;
  for (const std::string name : {"bpe", "word", "character"}) {
    TokenizerTraining options = options_for(parse_tokenizer_kind(name, "test"), 500);
    options.bos_token = "<s>";
    const Tokenizer trained = train_tokenizer(options, texts);
    const std::string folder = ::testing::TempDir() + "plumb_trained_" + name;
    save_tokenizer(trained, folder);
    const Json cases =
        parse_json(run_oracle("tests/oracle/make_tokenizer.py " + folder + "/tokenizer.json 200 4"),
                   "oracle")["cases"];
    const Agreement agreement = compare_with_oracle(Tokenizer::load(folder), cases);
    EXPECT_EQ(agreement.wrong, 0) << agreement.first_wrong;
    folders += " " + folder;
    expected += shown({*trained.bos_id(), *trained.eos_id(), *trained.pad_id()}) + " " +
                shown(trained.encode("First Citizen")) + "\n";
  }
  const std::string script =
      "import sys; from transformers import AutoTokenizer as A\n"
      "for f in sys.argv[1:]:\n"
      "  t = A.from_pretrained(f)\n"
      "  print([t.bos_token_id, t.eos_token_id, t.pad_token_id], t('First Citizen').input_ids)\n";
  EXPECT_EQ(run_oracle("-c \"" + script + "\"" + folders), expected);
}

TEST(TrainTokenizer, CharactersRoundTrip) {
  const std::vector<std::string> texts = {"caf\xC3\xA9 ol\xC3\xA9\n"};
  TokenizerTraining options = options_for(TokenizerKind::character, 50);
  options.min_frequency = 1;
  const Tokenizer tokenizer = train_tokenizer(options, texts);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(texts[0])), texts[0]);
  EXPECT_EQ(tokenizer.encode("f\xC3\xA9!").size(), 3u);
  EXPECT_EQ(tokenizer.encode("!").front(), tokenizer.unk_id());
}

TEST(TrainTokenizer, RefusesWhatCannotHold) {
  const std::vector<std::string> none;
  const std::vector<std::string> some = {"text"};
  const auto error_of = [](const TokenizerTraining& options,
                           const std::vector<std::string>& texts) {
    try {
      train_tokenizer(options, texts);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(error_of(options_for(TokenizerKind::bpe, 257), some), HasSubstr("at least 258"));
  EXPECT_THAT(error_of(options_for(TokenizerKind::bpe, 300), none), HasSubstr("no text"));
  EXPECT_THROW(parse_tokenizer_kind("unigram", "tokenizer.kind"), Error);
}

}  // namespace
}  // namespace plumb::test
