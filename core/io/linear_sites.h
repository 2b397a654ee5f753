// The linears of a decoder's layer: which there are in a family, under what names, and where each
// lies in the tensors that hold several of them. LoRA, the blocks, decoding and the files all go by
// this list.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/model_config.h"

namespace plumb {

// A linear as the family's files have it: q, k and v apart (Llama) or as one (Falcon).
enum class Linear { q, k, v, qkv, o, gate, up, gate_up, down };
constexpr int kNumLinears = 9;

// The four products of a layer. In memory q | k | v and gate | up lie one under another, in this
// order whatever the files do (core/io/family.h), so that x is read once.
enum class Product { qkv, o, gate_up, down };
constexpr int kNumProducts = 4;

// `count` rows from `begin` on.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

struct LinearSite {
  Linear linear;
  Product product;
  std::int64_t row = 0;      // first output in the product
  std::int64_t outputs = 0;  // O
  std::int64_t inputs = 0;   // I
  std::string module;        // within a layer, as PEFT and the files name it: "self_attn.q_proj"
  // The site's rows (0 is `row`) in the order of files; one range where that is memory's order.
  std::vector<RowRange> file_rows;
};

// Of the decoder's layers, in the order in which the products run. Needs a checked config.
std::vector<LinearSite> linear_sites(const ModelConfig& config);

// What a layer belongs to. The decoder's cross-attentions count as layers of their own, of q, k, v
// and o alone, so that weights and adapters are one list of layers whatever the model.
enum class Stack { decoder, encoder, cross };

// Layers [first, first + count) of that list.
struct LayerStack {
  Stack stack = Stack::decoder;
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::string names;  // "model.layers."
  std::vector<LinearSite> sites;

  // "model.layers.3.", of a layer in [first, first + count).
  std::string prefix(std::int64_t layer) const {
    return names + std::to_string(layer - first) + ".";
  }
};

// The decoder's; of a text-to-text model the encoder's and the cross-attentions follow.
std::vector<LayerStack> layer_stacks(const ModelConfig& config);
std::int64_t num_layers(const ModelConfig& config);  // of all stacks

// A cross-attention's q reads the decoder, its k and v the encoder: the sites of two products, rows
// counting from the first of each.
std::vector<LinearSite> cross_query_sites(const ModelConfig& config);
std::vector<LinearSite> cross_source_sites(const ModelConfig& config);

}  // namespace plumb
