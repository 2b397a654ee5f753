#include "core/model/source_cache.h"

#include "core/model/adapter_rows.h"
#include "core/model/cross_attention_block.h"
#include "core/model/text_to_text.h"
#include "core/ops/low_rank_linear.h"

namespace plumb {
namespace {

KvShape shape_of(const ModelConfig& config, int64_t num_slots) {
  return {config.num_hidden_layers, config.num_key_value_heads, config.head_dim, num_slots};
}

}  // namespace

SourceCache::SourceCache(const Decoder& decoder, const Adapter* adapter, int64_t num_slots)
    : decoder_(decoder),
      adapter_(adapter),
      cache_(shape_of(decoder.config, num_slots)),
      lengths_(num_slots) {}

void SourceCache::read(std::span<const int32_t> tokens, int64_t slot) {
  const ModelConfig& config = decoder_.config;
  const int64_t length = std::ssize(tokens);
  ForwardOptions options;
  if (adapter_ != nullptr) options.adapters = {{0, length, adapter_}};
  const EncodedSource source = encode(decoder_, pack({{tokens.begin(), tokens.end()}}), options);
  lengths_[slot] = length;
  cache_.reserve(length);
  std::vector<DecodeRow> rows;
  for (int64_t position = 0; position < length; ++position) {
    rows.push_back({slot, position});
  }
  const std::vector<LinearSite> sites = cross_source_sites(config);
  const int64_t first = layer_stacks(config).back().first;
  const int64_t values = config.num_key_value_heads * config.head_dim;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const CrossWeights cross = cross_weights(decoder_.weights.layers[first + i], config);
    std::vector<at::Tensor> narrow;
    const at::Tensor key_values =
        low_rank_linear(source.hidden, cross.key_values.weight, cross.key_values.bias,
                        layer_updates(options, first + i, sites, Product::qkv), narrow);
    const float* keys = key_values.const_data_ptr<float>();
    append_to_cache(cache_.layer(i), rows, keys, keys + values, key_values.size(1));
  }
}

std::span<const DecodeRow> SourceCache::last_keys(std::span<const DecodeRow> rows) {
  last_keys_.clear();
  for (const DecodeRow& row : rows) {
    last_keys_.push_back({row.slot, lengths_[row.slot] - 1});
  }
  return last_keys_;
}

}  // namespace plumb
