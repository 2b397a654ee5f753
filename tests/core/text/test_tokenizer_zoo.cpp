// Tokenizers of every family, made fresh by the oracle environment (tests/oracle/
// make_tokenizer_zoo.py): those that `tokenizers` trains, and the files of other libraries, which
// must become what transformers makes of them. PLUMB_TEXT_CASES and PLUMB_TEXT_SEED as in
// test_tokenizer_oracle.cpp; PLUMB_TEXT_ONLY names a single tokenizer.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>

#include "core/io/files.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

constexpr const char* kText = "../shared/data/pretrain/moby_dick.txt";

std::string setting(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value ? value : fallback;
}

class Zoo : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_oracle()) GTEST_SKIP() << "needs .deps/oracle";
    if (!has_shared("data/tokenizer/gpt2")) GTEST_SKIP() << "needs ../shared";
    static const std::string names = run_oracle("tests/oracle/make_tokenizer_zoo.py " + folder_ +
                                                " " + kText + " ../shared/data/tokenizer");
    ASSERT_FALSE(names.empty()) << "make_tokenizer_zoo.py failed";
    names_ = parse_json(names, "zoo");
  }

  std::string expected(const std::string& name) const {
    return folder_ + "/" + name + "/tokenizer.json";
  }

  void compare(const std::string& name, const Tokenizer& tokenizer) const {
    const std::string count = setting("PLUMB_TEXT_CASES", "150");
    const std::string output =
        run_oracle("tests/oracle/make_tokenizer.py " + expected(name) + " " + count + " " +
                   setting("PLUMB_TEXT_SEED", "1") + " " + kText);
    const Json file = parse_json(output, "oracle");
    const Agreement agreement = compare_with_oracle(tokenizer, file["cases"]);
    EXPECT_GE(agreement.cases, 150);
    EXPECT_EQ(agreement.wrong, 0) << name << ": " << agreement.wrong << " of " << agreement.cases
                                  << " wrong; first: " << agreement.first_wrong;
  }

  const std::string folder_ = ::testing::TempDir() + "plumb_zoo_" + std::to_string(getpid());
  Json names_;
};

TEST_F(Zoo, Equal) {
  const std::string only = setting("PLUMB_TEXT_ONLY", "");
  for (const std::string name : names_["all"]) {
    if (!only.empty() && name != only) continue;
    compare(name, Tokenizer::from_json(files::read_file(expected(name)), "", name));
  }
}

TEST_F(Zoo, OtherLibrariesFiles) {
  const std::string only = setting("PLUMB_TEXT_ONLY", "");
  for (const std::string name : names_["sources"]) {
    if (!only.empty() && name != only) continue;
    const Tokenizer tokenizer = Tokenizer::load(folder_ + "/" + name + "/source");
    compare(name, tokenizer);
    const Json got = parse_json(tokenizer.json(), name);
    const Json want = read_json(expected(name));
    for (const char* section : {"normalizer", "pre_tokenizer", "added_tokens"}) {
      EXPECT_EQ(got[section].dump(), want[section].dump()) << name;
    }
    EXPECT_EQ(got["model"].value("merges", Json()).dump(),
              want["model"].value("merges", Json()).dump())
        << name;
    EXPECT_EQ(got["model"]["vocab"].size(), want["model"]["vocab"].size()) << name;
  }
}

TEST_F(Zoo, SavedOnesOpenInTransformers) {
  std::string pairs;
  for (const std::string name : names_["sources"]) {
    const std::string saved = folder_ + "/" + name + "/saved";
    save_tokenizer(Tokenizer::load(folder_ + "/" + name + "/source"), saved);
    pairs += " " + saved + " " + expected(name);
  }
  EXPECT_EQ(run_oracle("tests/oracle/make_tokenizer_zoo.py --reopen " + std::string(kText) + pairs),
            "equal\n");
}

}  // namespace
}  // namespace plumb::test
