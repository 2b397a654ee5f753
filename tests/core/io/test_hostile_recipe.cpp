// The hostile kinds of recipe. That a stage's outputs stay in the run's folder is tested through
// the binary: tests/recipes/test_bad_input.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/io/in_time.h"
#include "tests/core/io/recipe_example.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::string& yaml) {
  ExampleRecipe recipe;
  return error_in_time([&] { read_recipe_text(yaml, "r.yaml", FieldList::of(recipe)); });
}

TEST(HostileRecipe, R01_AliasBomb) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'z'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i > 0 ? ", *" : "*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("r.yaml:1: an anchor"));
}

TEST(HostileRecipe, R02_DuplicateKey) {
  EXPECT_THAT(refusal("train:\n  steps: 3\n  steps: 4\n"),
              AllOf(HasSubstr("r.yaml:3"), HasSubstr("steps")));
}

TEST(HostileRecipe, R03_UnknownKeyNamesTheNearest) {
  EXPECT_THAT(refusal("train:\n  stepz: 3\n"),
              AllOf(HasSubstr("r.yaml:2"), HasSubstr("stepz"), HasSubstr("steps")));
  EXPECT_THAT(refusal(std::string(200'000, 'k') + ": 1\n"), HasSubstr("r.yaml:1"));
}

TEST(HostileRecipe, R04_WrongType) {
  for (const char* value : {"many", "[1]", "{a: 1}", "1.5", "0x10", "1e400", "true", "\"3\\0\""}) {
    EXPECT_THAT(refusal(std::string("train:\n  steps: ") + value + "\n"), HasSubstr("r.yaml:2"))
        << value;
  }
}

TEST(HostileRecipe, R06_ValueOutOfRange) {
  for (const char* value :
       {"-1", "9223372036854775808", "-9223372036854775809", "99999999999999999999999"}) {
    EXPECT_THAT(refusal(std::string("train:\n  steps: ") + value + "\n"),
                AllOf(HasSubstr("r.yaml:2"), HasSubstr("steps")))
        << value;
  }
}

}  // namespace
}  // namespace plumb
