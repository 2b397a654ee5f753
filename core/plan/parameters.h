// How many parameters a model and its adapters have, from the config alone.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/linear_sites.h"
#include "core/io/model_config.h"

namespace plumb::plan {

struct ParameterCount {
  std::int64_t layers = 0;     // linears and norms of all stacks
  std::int64_t embedding = 0;  // of tokens, and of positions where they are learned
  std::int64_t head = 0;       // 0 where it is the embedding
  std::int64_t other = 0;      // last norms, tables of relative positions

  std::int64_t total() const { return layers + embedding + head + other; }
};

// Needs a checked config; tie_word_embeddings says whether the head is the embedding.
ParameterCount count_parameters(const ModelConfig& config);

// What an adapter adds: A (R, I) and B (O, R) at each site.
struct AdapterShape {
  std::int64_t rank = 0;             // R; 0: no adapter
  std::vector<std::string> targets;  // as LoraOptions::targets
  std::vector<LayerStack> stacks;    // with those of their sites that the targets name
};

std::int64_t count_parameters(const AdapterShape& adapter);

// A product of a layer: its linears read the same rows at once.
struct ProductShape {
  Product product;
  std::int64_t outputs = 0;  // O of all its linears
  std::int64_t inputs = 0;   // I
};
std::vector<ProductShape> products_of(const LayerStack& stack);

}  // namespace plumb::plan
