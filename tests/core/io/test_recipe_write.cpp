#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/io/recipe_io.h"
#include "tests/core/io/recipe_example.h"

namespace plumb {
namespace {

using testing::HasSubstr;

ExampleRecipe read_back(const std::string& yaml) {
  ExampleRecipe recipe;
  // Not the defaults, so that a field that was not written shows.
  recipe.train = {1, 0.5, false, "linear", std::nullopt, 3};
  recipe.model = "other";
  recipe.system_prompt = "other";
  recipe.targets = {"k"};
  recipe.betas = {};
  recipe.seeds = {9};
  recipe.stages.resize(5);
  read_recipe_text(yaml, "written.yaml", FieldList::of(recipe));
  return recipe;
}

void expect_round_trip(ExampleRecipe recipe) {
  const std::string resolved = resolved_yaml(FieldList::of(recipe));
  EXPECT_EQ(read_back(resolved), recipe) << resolved;
  const std::string commented = commented_yaml(FieldList::of(recipe));
  EXPECT_EQ(read_back(commented), recipe) << commented;
}

TEST(RecipeWrite, DefaultsReadBack) {
  expect_round_trip({});
}

TEST(RecipeWrite, StringsReadBackWhateverTheyHold) {
  for (const std::string text : {"",
                                 " ",
                                 "a b",
                                 "null",
                                 "~",
                                 "true",
                                 "False",
                                 "yes",
                                 "3",
                                 "-3",
                                 "1e-5",
                                 ".5",
                                 ".inf",
                                 "a: b",
                                 "# no comment",
                                 "a #b",
                                 "- a",
                                 "[a]",
                                 "{a}",
                                 "*a",
                                 "&a",
                                 "!a",
                                 "%a",
                                 "@a",
                                 "`a`",
                                 "'",
                                 "\"",
                                 "\\",
                                 "\\n",
                                 "a\nb\n",
                                 "\n",
                                 "\t",
                                 "\r",
                                 "\x01\x7f",
                                 "é😀",
                                 "...",
                                 "---",
                                 "..",
                                 "./x/y.z",
                                 "../a",
                                 "/abs/path-1_2.txt",
                                 "a,b",
                                 "|",
                                 ">",
                                 "?",
                                 "=",
                                 "<<",
                                 "2024-01-01",
                                 "0x10",
                                 "\u0085",
                                 "\u2028"}) {
    ExampleRecipe recipe;
    recipe.model = text;
    recipe.system_prompt = text;
    recipe.stages.resize(1);
    recipe.stages[0].name = text;
    expect_round_trip(recipe);
  }
}

TEST(RecipeWrite, NumbersReadBackToTheSameBits) {
  for (const double value :
       {1e-5, 0.1, 1.0 / 3, 1e300, 5e-324, 123456789.0, 1e22,
        std::numeric_limits<double>::infinity(), std::numeric_limits<double>::max()}) {
    ExampleRecipe recipe;
    recipe.train.learning_rate = value;
    recipe.train.max_grad_norm = value;
    expect_round_trip(recipe);
  }
  ExampleRecipe recipe;
  recipe.train.steps = std::numeric_limits<std::int64_t>::max();
  recipe.seeds = {0, std::numeric_limits<std::int64_t>::max()};
  recipe.betas = {0.1, 1.0};
  recipe.train.save_every = 12;
  expect_round_trip(recipe);
}

TEST(RecipeWrite, ListsOfGroupsReadBack) {
  ExampleRecipe recipe;
  recipe.stages.resize(3);
  recipe.stages[0].name = "a";
  recipe.stages[2].train.steps = 5;
  recipe.targets = {};
  expect_round_trip(recipe);
}

TEST(RecipeWrite, AValueThatBreaksItsRuleByDefaultReadsBack) {
  ExampleRecipe recipe;
  recipe.train.steps = 0;
  const std::string yaml = resolved_yaml(FieldList::of(recipe));
  EXPECT_NO_THROW(read_recipe_text(yaml, "r.yaml", FieldList::of(recipe)));
}

TEST(RecipeWrite, LooksAsAUserWouldWriteIt) {
  ExampleRecipe recipe;
  recipe.model = "models/base";
  EXPECT_EQ(resolved_yaml(FieldList::of(recipe)), R"(model: models/base
system_prompt: null
targets: [q, v]
betas: [0.9, 0.999]
seeds: []
train:
  steps: 100
  learning_rate: 1e-05
  shuffle: true
  schedule: cosine
  max_grad_norm: 1.0
  save_every: null
stages: []
)");
  EXPECT_EQ(commented_yaml(FieldList::of(recipe)),
            R"(model: models/base   # folder of the base model (required)
system_prompt: null  # put before each dialogue
targets: [q, v]      # linears that get an adapter (one of q, k, v, o)
betas: [0.9, 0.999]  # decay of the optimizer's moments (0 to 1)
seeds: []            # one run each (at least 0)

# the training loop
train:
  steps: 100            # optimizer steps (at least 1)
  learning_rate: 1e-05  # peak learning rate (above 0)
  shuffle: true         # draw samples in a new order each epoch
  schedule: cosine      # of the learning rate (one of cosine, linear, constant)
  max_grad_norm: 1.0    # clip the global gradient norm; null: never (above 0)
  save_every: null      # steps between checkpoints; null: only at the end (at least 1)

# run in order
stages: []
# An entry looks like this:
#   - name: ""  # what later stages call it (required)
#     # how it is trained
#     train:
#       steps: 100            # optimizer steps (at least 1)
#       learning_rate: 1e-05  # peak learning rate (above 0)
#       shuffle: true         # draw samples in a new order each epoch
#       schedule: cosine      # of the learning rate (one of cosine, linear, constant)
#       max_grad_norm: 1.0    # clip the global gradient norm; null: never (above 0)
#       save_every: null      # steps between checkpoints; null: only at the end (at least 1)
)");
  EXPECT_TRUE(recipe.stages.empty()) << "the example entry must not stay";
}

TEST(RecipeWrite, HelpIsALineAField) {
  ExampleRecipe recipe;
  const std::string help = fields_help(FieldList::of(recipe));
  EXPECT_THAT(
      help,
      HasSubstr("\ntrain.steps                   100           optimizer steps (at least 1)\n"));
  EXPECT_THAT(help, HasSubstr("\nstages.N.name "));
  EXPECT_EQ(std::count(help.begin(), help.end(), '\n'), 5 + 6 + 1 + 7);
  EXPECT_TRUE(recipe.stages.empty());
}

}  // namespace
}  // namespace plumb
