#include "lora/attach.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/ops/philox.h"
#include "lora/linears.h"

namespace plumb {
namespace {

at::Tensor uniform_matrix(int64_t R, int64_t I, uint64_t seed, uint64_t id) {
  auto a = at::empty({R, I}, at::kFloat);
  const double bound = 1.0 / std::sqrt(static_cast<double>(I));
  float* out = a.data_ptr<float>();
  for (int64_t i = 0; i < R * I; ++i) {
    const double u = random_uniform(seed, Stream::lora, id, static_cast<uint64_t>(i));
    out[i] = static_cast<float>((2.0 * u - 1.0) * bound);
  }
  return a;
}

template <class Function>
void for_each_pair(const Adapter& adapter, const Function& visit) {
  for (size_t layer = 0; layer < adapter.layers.size(); ++layer) {
    for (int linear = 0; linear < kNumLinears; ++linear) {
      const LowRank& pair = adapter.layers[layer][linear];
      if (pair.defined()) visit(static_cast<int64_t>(layer), static_cast<Linear>(linear), pair);
    }
  }
}

constexpr std::array<const char*, kNumLinears> kLinearNames = {"q",    "k",  "v",       "qkv", "o",
                                                               "gate", "up", "gate_up", "down"};

void add_pairs(const LayerStack& stack, const LoraOptions& options, uint64_t seed,
               Adapter& adapter) {
  for (int64_t layer = stack.first; layer < stack.first + stack.count; ++layer) {
    for (const LinearSite& site : stack.sites) {
      const int index = static_cast<int>(site.linear);
      const auto id = static_cast<uint64_t>(layer * kNumLinears + index);
      adapter.layers[layer][index] = {uniform_matrix(options.rank, site.inputs, seed, id),
                                      at::zeros({site.outputs, options.rank}, at::kFloat)};
    }
  }
}

}  // namespace

Adapter make_adapter(const ModelConfig& config, const LoraOptions& options, uint64_t seed) {
  if (options.rank < 1) {
    throw Error("lora.rank: must be at least 1 for an adapter, got " + std::to_string(options.rank),
                Exit::usage);
  }
  Adapter adapter;
  adapter.scale = lora_scale(options);
  adapter.dropout = options.dropout;
  adapter.layers.resize(num_layers(config));
  for (const LayerStack& stack : target_stacks(config, options.targets)) {
    add_pairs(stack, options, seed, adapter);
  }
  return adapter;
}

Adapter clone(const Adapter& adapter) {
  Adapter copy = adapter;
  for (auto& layer : copy.layers) {
    for (auto& pair : layer) {
      if (pair.defined()) pair = {pair.a.detach().clone(), pair.b.detach().clone()};
    }
  }
  return copy;
}

std::vector<NamedTensor> parameters(const Adapter& adapter) {
  std::vector<NamedTensor> list;
  for_each_pair(adapter, [&](int64_t layer, Linear linear, const LowRank& pair) {
    const std::string name =
        "layers." + std::to_string(layer) + "." + kLinearNames[static_cast<int>(linear)];
    list.push_back({name + ".lora_A", pair.a});
    list.push_back({name + ".lora_B", pair.b});
  });
  return list;
}

void set_requires_grad(const Adapter& adapter, bool requires_grad) {
  for_each_pair(adapter, [&](int64_t, Linear, const LowRank& pair) {
    pair.a.set_requires_grad(requires_grad);
    pair.b.set_requires_grad(requires_grad);
  });
}

namespace {

void merge_layer(const LayerWeights& weights, const std::vector<LinearSite>& sites,
                 const Adapter& adapter, int64_t layer) {
  for (const LinearSite& site : sites) {
    const LowRank& pair = adapter.at(layer, site.linear);
    if (!pair.defined()) continue;
    weights.product(site.product)
        .weight.narrow(0, site.row, site.outputs)
        .addmm_(pair.b, pair.a, 1, adapter.scale);
  }
}

}  // namespace

void merge(Decoder& decoder, const Adapter& adapter) {
  const at::NoGradGuard no_grad;
  for (const LayerStack& stack : layer_stacks(decoder.config)) {
    for (int64_t layer = stack.first; layer < stack.first + stack.count; ++layer) {
      merge_layer(decoder.weights.layers[layer], stack.sites, adapter, layer);
    }
  }
}

}  // namespace plumb
