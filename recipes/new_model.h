// What pretraining starts from: a model that is there, or a new one with its tokenizer.
#pragma once
#include "core/model/decoder.h"
#include "core/text/tokenizer.h"
#include "recipes/job.h"
#include "recipes/pretrain_recipe.h"

namespace plumb {

// The recipe's tokenizer, the model's own, or a new one trained on the data's files and kept in
// RUN/tokenizer (a resumed run reads it from there). Rank 0 trains; all read.
Tokenizer pretrain_tokenizer(const PretrainRecipe& recipe, Job& job);

// model.path, or a new model of `architecture` for this tokenizer.
Decoder pretrain_decoder(const PretrainRecipe& recipe, const Tokenizer& tokenizer);

}  // namespace plumb
