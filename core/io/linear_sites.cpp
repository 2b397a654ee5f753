#include "core/io/linear_sites.h"

#include "core/io/family.h"

namespace plumb {
namespace {

struct Place {
  Product product;
  std::int64_t row;
  std::int64_t outputs;
  std::int64_t inputs;
};

Place place_of(const ModelConfig& config, Linear linear) {
  const std::int64_t C = config.hidden_size, F = config.intermediate_size;
  const std::int64_t q = config.num_attention_heads * config.head_dim;
  const std::int64_t kv = config.num_key_value_heads * config.head_dim;
  switch (linear) {
    case Linear::q:
      return {Product::qkv, 0, q, C};
    case Linear::k:
      return {Product::qkv, q, kv, C};
    case Linear::v:
      return {Product::qkv, q + kv, kv, C};
    case Linear::qkv:
      return {Product::qkv, 0, q + 2 * kv, C};
    case Linear::o:
      return {Product::o, 0, C, q};
    case Linear::gate:
      return {Product::gate_up, 0, F, C};
    case Linear::up:
      return {Product::gate_up, config.is_gated ? F : 0, F, C};
    case Linear::gate_up:
      return {Product::gate_up, 0, 2 * F, C};
    case Linear::down:
      break;
  }
  return {Product::down, 0, C, F};
}

std::vector<RowRange> file_rows_of(const ModelConfig& config, const TensorNames& names,
                                   Linear linear, std::int64_t outputs) {
  if (linear != Linear::qkv || names.qkv_rows == QkvRows::blocks) return {{0, outputs}};
  const std::int64_t D = config.head_dim, K = config.num_key_value_heads;
  const std::int64_t queries = config.num_attention_heads / K * D;  // of one kv head
  std::vector<RowRange> rows;
  for (std::int64_t k = 0; k < K; ++k) {
    rows.push_back({k * queries, queries});
    rows.push_back({K * queries + k * D, D});
    rows.push_back({K * queries + (K + k) * D, D});
  }
  return rows;
}

std::vector<LinearSite> sites_of(const ModelConfig& config, const TensorNames& names,
                                 const std::vector<LinearName>& linears) {
  std::vector<LinearSite> sites;
  for (const LinearName& name : linears) {
    const Place place = place_of(config, name.linear);
    sites.push_back({name.linear, place.product, place.row, place.outputs, place.inputs,
                     std::string(name.module),
                     file_rows_of(config, names, name.linear, place.outputs)});
  }
  return sites;
}

LayerStack stack_of(const ModelConfig& config, const TensorNames& names, Stack stack) {
  const StackNames& own = stack == Stack::encoder ? names.source.encoder : names.source.cross;
  LayerStack made{stack, config.num_hidden_layers, config.num_encoder_layers,
                  std::string(own.layers), sites_of(config, names, own.linears)};
  if (stack == Stack::cross) {
    made.first += config.num_encoder_layers;
    made.count = config.num_hidden_layers;
  }
  return made;
}

}  // namespace

std::vector<LinearSite> linear_sites(const ModelConfig& config) {
  const TensorNames names = family_of(config).names(config);
  return sites_of(config, names, names.linears);
}

std::vector<LayerStack> layer_stacks(const ModelConfig& config) {
  const TensorNames names = family_of(config).names(config);
  std::vector<LayerStack> stacks = {{Stack::decoder, 0, config.num_hidden_layers,
                                     std::string(names.layers),
                                     sites_of(config, names, names.linears)}};
  if (config.is_encoder_decoder) {
    stacks.push_back(stack_of(config, names, Stack::encoder));
    stacks.push_back(stack_of(config, names, Stack::cross));
  }
  return stacks;
}

std::int64_t num_layers(const ModelConfig& config) {
  const std::int64_t decoder = config.num_hidden_layers;
  return config.is_encoder_decoder ? 2 * decoder + config.num_encoder_layers : decoder;
}

std::vector<LinearSite> cross_query_sites(const ModelConfig& config) {
  std::vector<LinearSite> sites = layer_stacks(config).back().sites;
  std::erase_if(sites, [](const LinearSite& site) {
    return site.linear == Linear::k || site.linear == Linear::v;
  });
  return sites;
}

std::vector<LinearSite> cross_source_sites(const ModelConfig& config) {
  std::vector<LinearSite> sites = layer_stacks(config).back().sites;
  std::erase_if(sites, [](const LinearSite& site) {
    return site.linear != Linear::k && site.linear != Linear::v;
  });
  for (LinearSite& site : sites) site.row -= config.num_attention_heads * config.head_dim;
  return sites;
}

}  // namespace plumb
