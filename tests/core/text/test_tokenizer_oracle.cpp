// Equality with Hugging Face's `tokenizers`: committed cases, and fresh ones where the oracle
// environment is installed (PLUMB_TEXT_CASES=25000 PLUMB_TEXT_SEED=7 for a long run).
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/io/files.h"
#include "tests/core/text/oracle_cases.h"

namespace plumb::test {
namespace {

const std::string kFixtures = "tests/oracle/fixtures/tokenizer/";

std::string setting(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value ? value : fallback;
}

std::string folder_of(const std::string& name) {
  return name == "stories260K" ? "models/stories260K" : "data/tokenizer/" + name;
}

// Without tokenizer_config.json, which the package does not read.
Tokenizer load_alone(const std::string& name) {
  const std::string path = "../shared/" + folder_of(name) + "/tokenizer.json";
  return Tokenizer::from_json(files::read_file(path), "", path);
}

class OfPackage : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!has_shared(folder_of(GetParam()))) GTEST_SKIP() << "needs ../shared";
  }
};

TEST_P(OfPackage, CommittedCases) {
  const Json file = read_json(kFixtures + GetParam() + ".json");
  const Agreement agreement = compare_with_oracle(load_alone(GetParam()), file["cases"]);
  EXPECT_GE(agreement.cases, 40);
  EXPECT_EQ(agreement.wrong, 0) << agreement.first_wrong;
}

TEST_P(OfPackage, FreshCases) {
  if (!has_oracle()) GTEST_SKIP() << "needs .deps/oracle";
  const std::string output =
      run_oracle("tests/oracle/make_tokenizer.py ../shared/" + folder_of(GetParam()) +
                 "/tokenizer.json " + setting("PLUMB_TEXT_CASES", "400") + " " +
                 setting("PLUMB_TEXT_SEED", "1") + " ../shared/data/pretrain/moby_dick.txt");
  const Json file = parse_json(output, "oracle");
  const Agreement agreement = compare_with_oracle(load_alone(GetParam()), file["cases"]);
  EXPECT_GE(agreement.cases, 400);
  EXPECT_EQ(agreement.wrong, 0) << agreement.first_wrong;
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, OfPackage,
                         ::testing::Values("smollm2", "phi-3", "falcon", "stories260K"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(EachPart, CommittedCases) {
  const Agreement agreement = compare_parts(read_json(kFixtures + "parts.json"));
  EXPECT_GE(agreement.cases, 600);
  EXPECT_EQ(agreement.wrong, 0) << agreement.wrong << " wrong; first: " << agreement.first_wrong;
}

TEST(EachPart, FreshCases) {
  if (!has_oracle()) GTEST_SKIP() << "needs .deps/oracle";
  const std::string output =
      run_oracle("tests/oracle/make_tokenizer_parts.py " + setting("PLUMB_TEXT_SEED", "1") + " 40");
  const Agreement agreement = compare_parts(parse_json(output, "oracle"));
  EXPECT_EQ(agreement.wrong, 0) << agreement.wrong << " wrong; first: " << agreement.first_wrong;
}

}  // namespace
}  // namespace plumb::test
