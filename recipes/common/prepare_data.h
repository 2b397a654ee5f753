// What a training job's recipe says about its data, and that data made ready: used by the jobs and
// by `plumb data`, so that both mean the same store.
#pragma once
#include <cstdint>
#include <string>

#include "core/data/prepare.h"
#include "recipes/ppo_recipe.h"
#include "recipes/pretrain_recipe.h"
#include "recipes/reward_recipe.h"
#include "recipes/sft_recipe.h"

namespace plumb {

struct DataNeed {
  SampleKind kind = SampleKind::text;
  DataOptions data;
  int64_t context = 0;  // tokens that the model can take
  RunOptions run;
  bool is_text_to_text = false;  // the model reads prompts with an encoder
};

DataNeed data_need(const PretrainRecipe& recipe, int64_t context);
DataNeed data_need(const SftRecipe& recipe, int64_t context);
DataNeed data_need(const RewardRecipe& recipe, int64_t context);
// Prompts must leave room for the response: the context here is what remains without it.
DataNeed data_need(const PpoRecipe& recipe, int64_t context);

// Opens the store, making it first when needed; says on stderr what became of the rows.
enum class Telling { quiet, progress };
PreparedData prepare_data(const DataNeed& need, const Tokenizer& tokenizer, Telling telling);

}  // namespace plumb
