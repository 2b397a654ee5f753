#include "core/plan/parameters.h"

#include <algorithm>

#include "core/io/family.h"

namespace plumb::plan {
namespace {

const std::vector<NormName>& norms_of(const TensorNames& names, Stack stack) {
  if (stack == Stack::encoder) return names.source.encoder.norms;
  return stack == Stack::cross ? names.source.cross.norms : names.norms;
}

bool has_bias(const ModelConfig& config, Product product) {
  switch (product) {
    case Product::qkv:
      return config.has_qkv_bias;
    case Product::o:
      return config.has_o_bias;
    default:
      return config.has_mlp_bias;
  }
}

std::int64_t norm_parameters(const ModelConfig& config, NormSite site) {
  if (site == NormSite::q || site == NormSite::k) return config.head_dim;
  return config.norm == Norm::layer ? 2 * config.hidden_size : config.hidden_size;
}

// Of one of the stack's layers; as core/model/file_tensors.cpp allocates it.
std::int64_t layer_parameters(const ModelConfig& config, const LayerStack& stack,
                              const TensorNames& names) {
  std::int64_t count = 0;
  for (const LinearSite& site : stack.sites) {
    count += site.outputs * (site.inputs + (has_bias(config, site.product) ? 1 : 0));
  }
  for (const NormName& norm : norms_of(names, stack.stack)) {
    count += norm_parameters(config, norm.site);
  }
  return count;
}

}  // namespace

ParameterCount count_parameters(const ModelConfig& config) {
  const TensorNames names = family_of(config).names(config);
  ParameterCount count;
  for (const LayerStack& stack : layer_stacks(config)) {
    count.layers += stack.count * layer_parameters(config, stack, names);
  }
  count.embedding = config.vocab_size * config.hidden_size;
  count.head = config.tie_word_embeddings ? 0 : count.embedding;
  if (config.positions == Positions::learned) {
    count.embedding += config.max_position_embeddings * config.hidden_size;
  }
  const std::int64_t stacks = config.is_encoder_decoder ? 2 : 1;
  count.other = stacks * norm_parameters(config, NormSite::mlp);
  if (config.positions == Positions::relative) {
    count.other += stacks * config.relative_buckets * config.num_attention_heads;
  }
  return count;
}

std::int64_t count_parameters(const AdapterShape& adapter) {
  std::int64_t count = 0;
  for (const LayerStack& stack : adapter.stacks) {
    for (const LinearSite& site : stack.sites) {
      count += stack.count * adapter.rank * (site.inputs + site.outputs);
    }
  }
  return count;
}

std::vector<ProductShape> products_of(const LayerStack& stack) {
  std::vector<ProductShape> products;
  for (const LinearSite& site : stack.sites) {
    const auto known =
        std::find_if(products.begin(), products.end(),
                     [&](const ProductShape& shape) { return shape.product == site.product; });
    if (known == products.end()) {
      products.push_back({site.product, site.outputs, site.inputs});
    } else {
      known->outputs += site.outputs;
    }
  }
  return products;
}

}  // namespace plumb::plan
