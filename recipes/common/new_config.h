#pragma once
#include "core/io/model_config.h"
#include "recipes/pretrain_recipe.h"

namespace plumb {

// A new model's config but for its special tokens. Throws Error (Exit::usage) naming the key.
ModelConfig new_config(const ArchitectureOptions& shape, int64_t vocab_size);

}  // namespace plumb
