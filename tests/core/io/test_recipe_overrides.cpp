#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/nearest_key.h"
#include "core/io/recipe_io.h"
#include "tests/core/io/recipe_example.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ExampleRecipe with(const std::vector<std::string>& overrides) {
  ExampleRecipe recipe;
  recipe.stages.resize(2);
  apply_overrides(overrides, FieldList::of(recipe));
  return recipe;
}

std::string problem(const std::string& override_text) {
  return error_of([&] { with({override_text}); });
}

TEST(Overrides, SetLeavesOfEveryType) {
  const ExampleRecipe recipe =
      with({"train.steps=7", "train.learning_rate=1e-3", "train.shuffle=false",
            "train.max_grad_norm=null", "train.save_every=5", "targets=[k, o]", "betas=[0,1]",
            "seeds=[]", "train={schedule: linear}", "stages.1.train.steps=9", "stages.1.name=x"});
  EXPECT_EQ(recipe.train.steps, 7);
  EXPECT_EQ(recipe.train.learning_rate, 1e-3);
  EXPECT_FALSE(recipe.train.shuffle);
  EXPECT_EQ(recipe.train.max_grad_norm, std::nullopt);
  EXPECT_EQ(recipe.train.save_every, 5);
  EXPECT_EQ(recipe.train.schedule, "linear");
  EXPECT_THAT(recipe.targets, ElementsAre("k", "o"));
  EXPECT_THAT(recipe.betas, ElementsAre(0, 1));
  EXPECT_THAT(recipe.seeds, IsEmpty());
  EXPECT_EQ(recipe.stages[0].train.steps, 100);
  EXPECT_EQ(recipe.stages[1].train.steps, 9);
  EXPECT_EQ(recipe.stages[1].name, "x");
}

TEST(Overrides, StringsAreTakenAsTheyCame) {
  EXPECT_EQ(with({"model=a: b # c=d"}).model, "a: b # c=d");
  EXPECT_EQ(with({"model=^[a-z]+$"}).model, "^[a-z]+$");
  EXPECT_EQ(with({"model=2024"}).model, "2024");
  EXPECT_EQ(with({"model=*x"}).model, "*x");
  EXPECT_EQ(with({"model="}).model, "");
  EXPECT_EQ(with({"model=\"null\""}).model, "null");
  EXPECT_EQ(with({"model='it''s'"}).model, "it's");
  EXPECT_EQ(with({"system_prompt=hello", "system_prompt=null"}).system_prompt, std::nullopt);
  EXPECT_EQ(with({"system_prompt="}).system_prompt, "");
  EXPECT_EQ(with({"train.save_every=5", "train.save_every="}).train.save_every, std::nullopt);
}

TEST(Overrides, AListOfGroupsIsReplacedWhole) {
  const ExampleRecipe recipe =
      with({"stages=[{name: a}, {name: b, train: {steps: 2}}, {name: c}]"});
  ASSERT_EQ(recipe.stages.size(), 3u);
  EXPECT_EQ(recipe.stages[1].train.steps, 2);
}

TEST(Overrides, ErrorsQuoteTheOverride) {
  EXPECT_THAT(problem("train.steps=abc"),
              AllOf(HasSubstr("override 'train.steps=abc': train.steps must be a whole number"),
                    HasSubstr("'abc'")));
  EXPECT_THAT(problem("train.stps=1"), HasSubstr("did you mean 'train.steps'?"));
  EXPECT_THAT(problem("steps=1"), HasSubstr("did you mean 'train.steps'?"));
  EXPECT_THAT(problem("train.steps"), HasSubstr("an override is key=value"));
  EXPECT_THAT(problem("=1"), HasSubstr("an override is key=value"));
  EXPECT_THAT(problem("train.steps.x=1"), HasSubstr("train.steps is a value and has no keys"));
  EXPECT_THAT(problem("stages.2.name=x"), HasSubstr("holds 2"));
  EXPECT_THAT(problem("stages.-1.name=x"), HasSubstr("no entry"));
  EXPECT_THAT(problem("stages.0=x"), HasSubstr("is a group"));
  EXPECT_THAT(problem("train.steps=[1"), HasSubstr("override 'train.steps=[1'"));
  EXPECT_THAT(problem("betas=0.9"), HasSubstr("must be a list"));
  EXPECT_THAT(problem("train.steps=0"), HasSubstr("at least 1"));
  EXPECT_THAT(problem("model=\xFF"), HasSubstr("UTF-8"));
  EXPECT_NE(problem("train..steps=1"), "");
  EXPECT_NE(problem(".=1"), "");
}

TEST(NearestKey, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("steps", "stpes"), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);       // optimal string alignment, not full Damerau
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(NearestKey, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> known = {"steps", "seed", "learning_rate"};
  EXPECT_EQ(nearest_key("step", known), "steps");
  EXPECT_EQ(nearest_key("lerning_rte", known), "learning_rate");
  EXPECT_EQ(nearest_key("banana", known), std::nullopt);
  EXPECT_EQ(nearest_key(std::string(5000, 'x'), known), std::nullopt);
}

}  // namespace
}  // namespace plumb
