#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/recipe_io.h"
#include "tests/core/io/recipe_example.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

ExampleRecipe read(const std::string& yaml) {
  ExampleRecipe recipe;
  read_recipe_text(yaml, "r.yaml", FieldList::of(recipe));
  return recipe;
}

std::string problem(const std::string& yaml) {
  return error_of([&] { read(yaml); });
}

TEST(RecipeRead, FillsEveryTypeAndKeepsTheOtherDefaults) {
  const ExampleRecipe recipe = read(R"(# a comment
model: ../models/base
system_prompt: "be \"kind\"\n"
targets: [q, o]
betas:
  - 0.5
  - 1
seeds: [1, -0, +3]
train:
  steps: 200
  learning_rate: 3e-4
  shuffle: false
  max_grad_norm: null
  save_every: 50
stages:
  - name: sft
    train: {steps: 7, schedule: linear}
  - name: "ppo"
)");
  EXPECT_EQ(recipe.model, "../models/base");
  EXPECT_EQ(recipe.system_prompt, "be \"kind\"\n");
  EXPECT_THAT(recipe.targets, ElementsAre("q", "o"));
  EXPECT_THAT(recipe.betas, ElementsAre(0.5, 1.0));
  EXPECT_THAT(recipe.seeds, ElementsAre(1, 0, 3));
  EXPECT_EQ(recipe.train.steps, 200);
  EXPECT_EQ(recipe.train.learning_rate, 3e-4);
  EXPECT_FALSE(recipe.train.shuffle);
  EXPECT_EQ(recipe.train.schedule, "cosine");
  EXPECT_FALSE(recipe.train.max_grad_norm.has_value());
  EXPECT_EQ(recipe.train.save_every, 50);
  ASSERT_EQ(recipe.stages.size(), 2u);
  EXPECT_EQ(recipe.stages[0].train.steps, 7);
  EXPECT_EQ(recipe.stages[0].train.schedule, "linear");
  EXPECT_EQ(recipe.stages[1].name, "ppo");
  EXPECT_EQ(recipe.stages[1].train, TrainGroup{});
}

TEST(RecipeRead, AnEmptyFileOrGroupLeavesTheDefaults) {
  for (const char* yaml :
       {"", "# only comments\n", "train:\n", "---\n", "{}", "train: {}", "null"}) {
    EXPECT_EQ(read(yaml), ExampleRecipe{}) << yaml;
  }
}

TEST(RecipeRead, AnEmptyStringIsNotAMissingValue) {
  EXPECT_EQ(read("system_prompt: \"\"").system_prompt, "");
  EXPECT_EQ(read("system_prompt:").system_prompt, std::nullopt);
  EXPECT_EQ(read("system_prompt: \"null\"").system_prompt, "null");
  EXPECT_EQ(read("model: ''").model, "");
  EXPECT_THAT(problem("model:"), AllOf(HasSubstr("model has no value"), HasSubstr("\"\"")));
}

TEST(RecipeRead, UnknownKeysNameTheLineAndTheNearest) {
  EXPECT_THAT(problem("model: x\ntrain:\n  stpes: 3\n"),
              AllOf(StartsWith("r.yaml:3: unknown key 'train.stpes'"),
                    HasSubstr("did you mean 'train.steps'?")));
  EXPECT_THAT(problem("learning_rate: 1"), HasSubstr("did you mean 'train.learning_rate'?"));
  EXPECT_THAT(problem("modle: x"), HasSubstr("did you mean 'model'?"));
  EXPECT_THAT(problem("stages:\n- name: a\n- nmae: b"),
              AllOf(HasSubstr("r.yaml:3"), HasSubstr("stages.1.name")));
  EXPECT_THAT(problem("quantum_flux: 1"),
              AllOf(HasSubstr("known here: model system_prompt"), HasSubstr("r.yaml:1")));
}

TEST(RecipeRead, DuplicateKeysNameBothLines) {
  EXPECT_THAT(problem("model: a\ntrain:\n  steps: 1\n  shuffle: true\n  steps: 2\n"),
              AllOf(HasSubstr("r.yaml:5: 'steps' is given twice"), HasSubstr("line 3")));
  EXPECT_THAT(problem("model: a\n\"model\": b"), HasSubstr("'model' is given twice"));
  EXPECT_THAT(problem("train: {steps: 1, steps: 1}"), HasSubstr("given twice"));
}

TEST(RecipeRead, WrongTypesSayWhatIsWanted) {
  for (const char* steps :
       {"3.0", "1e3", "many", "\"3\"", "[3]", "{a: 1}", "true", "0x10", "1_000", "3 4", "~"}) {
    EXPECT_THAT(problem(std::string("train: {steps: ") + steps + "}"),
                AllOf(HasSubstr("r.yaml:1: train.steps must be a whole number"), HasSubstr("not ")))
        << steps;
  }
  EXPECT_THAT(problem("train: {steps: 9223372036854775808}"), HasSubstr("64 bits"));
  for (const char* flag : {"yes", "no", "on", "1", "\"true\"", "tRue", "[true]"}) {
    EXPECT_THAT(problem(std::string("train: {shuffle: ") + flag + "}"),
                HasSubstr("train.shuffle must be true or false"))
        << flag;
  }
  for (const char* rate : {"fast", "\"1\"", "1.2.3", "nan", ".nan", "inf", "1e400", "[1]", "1,5"}) {
    EXPECT_THAT(problem(std::string("train:\n  learning_rate: ") + rate),
                HasSubstr("r.yaml:2: train.learning_rate must be"))
        << rate;
  }
  EXPECT_THAT(problem("model: [a]"), HasSubstr("model must be a string, not a list"));
  EXPECT_THAT(problem("targets: q"), HasSubstr("targets must be a list"));
  EXPECT_THAT(problem("betas: [0.9, x]"), HasSubstr("betas[1] must be a number"));
  EXPECT_THAT(problem("train: 3"), HasSubstr("train must be a map"));
  EXPECT_THAT(problem("- a"), HasSubstr("must be a map"));
  EXPECT_THAT(problem("stages: {name: a}"), HasSubstr("stages must be a list of maps"));
  EXPECT_THAT(problem("stages: [a]"), HasSubstr("stages.0 must be a map"));
}

TEST(RecipeRead, RulesAreChecked) {
  EXPECT_THAT(problem("train: {steps: 0}"), HasSubstr("train.steps must be at least 1, not 0"));
  EXPECT_THAT(problem("train: {learning_rate: 0}"), HasSubstr("must be above 0, not 0"));
  EXPECT_THAT(problem("train: {max_grad_norm: -1}"), HasSubstr("must be above 0, not -1"));
  EXPECT_THAT(problem("train: {schedule: cosin}"),
              AllOf(HasSubstr("one of cosine, linear, constant"), HasSubstr("mean 'cosine'")));
  EXPECT_THAT(problem("betas: [0.5, 1.5]"), HasSubstr("betas[1] must be 0 to 1, not 1.5"));
  EXPECT_THAT(problem("targets: [q, x]"), HasSubstr("targets[1]"));
  EXPECT_EQ(problem("betas: [0, 1]"), "");
}

TEST(RecipeRead, RequiredFieldsAreAskedForAtTheEnd) {
  ExampleRecipe recipe;
  EXPECT_THAT(error_of([&] { check_required(FieldList::of(recipe), "r.yaml"); }),
              AllOf(HasSubstr("r.yaml: model must be given"), HasSubstr("model=...")));
  recipe.model = "m";
  recipe.stages.resize(1);
  EXPECT_THAT(error_of([&] { check_required(FieldList::of(recipe), "r.yaml"); }),
              HasSubstr("stages.0.name must be given"));
  recipe.stages[0].name = "s";
  EXPECT_NO_THROW(check_required(FieldList::of(recipe), "r.yaml"));
}

TEST(RecipeRead, WhatExpandsOrRunsIsRefused) {
  EXPECT_THAT(problem("model: &a x\nsystem_prompt: *a"), HasSubstr("r.yaml:1: an anchor"));
  EXPECT_THAT(problem("train: &t {steps: 1}"), HasSubstr("an anchor"));
  EXPECT_THAT(problem("model: !!str 3"), HasSubstr("a tag"));
  EXPECT_THAT(problem("model: !python/object:os.system x"), HasSubstr("a tag"));
  EXPECT_THAT(problem("train:\n  <<: {steps: 3}"), HasSubstr("r.yaml:2: a merge key"));
  EXPECT_THAT(problem("model: a\n---\nmodel: b"), HasSubstr("r.yaml:2: a second document"));
  EXPECT_THAT(problem("? [a]\n: b"), HasSubstr("as a key"));
  std::string bomb = "a: &a [x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [*" + char(c - 1) + ", *" + char(c - 1) + "]\n";
  }
  EXPECT_THAT(problem(bomb), HasSubstr("an anchor"));
}

TEST(RecipeRead, DepthSizeAndTextAreLimited) {
  EXPECT_THAT(problem("model: " + std::string(40, '[') + std::string(40, ']')),
              HasSubstr("deeper than 32"));
  EXPECT_NE(problem("model: " + std::string(100'000, '[')), "");
  EXPECT_THAT(problem("model: " + std::string(1 << 20, 'x')), HasSubstr("at most 1048576"));
  EXPECT_THAT(problem("model: x\ntrain: \xFF"), HasSubstr("r.yaml:2: not UTF-8"));
  EXPECT_THAT(problem(std::string("model: x\0y", 10)), HasSubstr("not UTF-8 text"));
  EXPECT_THAT(problem("model: \"\\ud800\""), HasSubstr("not valid YAML"));
  EXPECT_THAT(problem("model: \"\\N\""), HasSubstr("no character of UTF-8"));
  EXPECT_THAT(problem("model: \"a\\0\""), HasSubstr("no character of UTF-8"));
  EXPECT_EQ(problem("model: \"\\u00e9\""), "");
  EXPECT_THAT(problem("model: [a\ntrain: b"), HasSubstr("not valid YAML"));
  EXPECT_THAT(problem("model: \"a"), HasSubstr("not valid YAML"));
  EXPECT_THAT(problem("\tmodel: a"), HasSubstr("r.yaml:1"));
}

TEST(RecipeRead, ReadsAFileAndItsErrorsExitAsUsage) {
  TempFolder folder;
  ExampleRecipe recipe;
  read_recipe(folder.put("r.yaml", "model: x"), FieldList::of(recipe));
  EXPECT_EQ(recipe.model, "x");
  folder.put("bad.yaml", "x: 1");
  try {
    read_recipe(folder.at("bad.yaml"), FieldList::of(recipe));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, Exit::usage);
    EXPECT_THAT(error.what(), HasSubstr("/bad.yaml:1: "));
  }
}

}  // namespace
}  // namespace plumb
