#include "lora/attach.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/ops/philox.h"
#include "lora/linears.h"

namespace plumb {
namespace {

struct LinearShape {
  int64_t in;
  int64_t out;
};

LinearShape shape_of(const ModelConfig& config, Linear linear) {
  const int64_t C = config.hidden_size;
  const int64_t F = config.intermediate_size;
  const int64_t queries = config.num_attention_heads * config.head_dim;
  const int64_t keys = config.num_key_value_heads * config.head_dim;
  switch (linear) {
    case Linear::q:
      return {C, queries};
    case Linear::k:
    case Linear::v:
      return {C, keys};
    case Linear::o:
      return {queries, C};
    case Linear::gate:
    case Linear::up:
      return {C, F};
    case Linear::down:
      return {F, C};
  }
  throw std::logic_error("shape_of: no such linear");
}

std::vector<Linear> wanted_linears(const std::vector<std::string>& targets) {
  const bool all = targets == std::vector<std::string>{"all-linear"};
  std::vector<Linear> wanted;
  for (const Linear linear : kLinears) {
    if (all || std::find(targets.begin(), targets.end(), module_name(linear)) != targets.end()) {
      wanted.push_back(linear);
    }
  }
  if (wanted.empty() || (!all && wanted.size() != targets.size())) {
    std::string given;
    for (const auto& target : targets) given += (given.empty() ? "" : ", ") + target;
    throw Error("lora.targets: [" + given + "] must be all-linear or a set of " + module_names(),
                Exit::usage);
  }
  return wanted;
}

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
    for (const Linear linear : kLinears) {
      const LowRank& pair = adapter.at(static_cast<int64_t>(layer), linear);
      if (pair.defined()) visit(static_cast<int64_t>(layer), linear, pair);
    }
  }
}

// The rows of the fused weight that hold `linear`.
at::Tensor weight_of(const ModelConfig& config, const LayerWeights& layer, Linear linear) {
  const int64_t queries = config.num_attention_heads * config.head_dim;
  const int64_t keys = config.num_key_value_heads * config.head_dim;
  const int64_t F = config.intermediate_size;
  switch (linear) {
    case Linear::q:
      return layer.qkv.narrow(0, 0, queries);
    case Linear::k:
      return layer.qkv.narrow(0, queries, keys);
    case Linear::v:
      return layer.qkv.narrow(0, queries + keys, keys);
    case Linear::o:
      return layer.o;
    case Linear::gate:
      return layer.gate_up.narrow(0, 0, F);
    case Linear::up:
      return layer.gate_up.narrow(0, F, F);
    case Linear::down:
      return layer.down;
  }
  throw std::logic_error("weight_of: no such linear");
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
  adapter.layers.resize(config.num_hidden_layers);
  const auto wanted = wanted_linears(options.targets);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    for (const Linear linear : wanted) {
      const int index = static_cast<int>(linear);
      const auto [in, out] = shape_of(config, linear);
      const auto id = static_cast<uint64_t>(layer * kNumLinears + index);
      adapter.layers[layer][index] = {uniform_matrix(options.rank, in, seed, id),
                                      at::zeros({out, options.rank}, at::kFloat)};
    }
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
    const std::string name = "layers." + std::to_string(layer) + "." + module_path(linear);
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

void merge(Decoder& decoder, const Adapter& adapter) {
  const at::NoGradGuard no_grad;
  for_each_pair(adapter, [&](int64_t layer, Linear linear, const LowRank& pair) {
    weight_of(decoder.config, decoder.weights.layers[layer], linear)
        .addmm_(pair.b, pair.a, 1, adapter.scale);
  });
}

double lora_scale(const LoraOptions& options) {
  const auto rank = static_cast<double>(options.rank);
  return options.alpha / (options.rslora ? std::sqrt(rank) : rank);
}

void check_adapter_shape(const ModelConfig& config, int64_t layer, Linear linear,
                         const LowRank& pair) {
  const auto [in, out] = shape_of(config, linear);
  const bool fits = pair.a.defined() && pair.b.defined() && pair.a.dim() == 2 &&
                    pair.b.dim() == 2 && pair.a.size(1) == in && pair.b.size(0) == out &&
                    pair.a.size(0) == pair.b.size(1);
  if (fits) return;
  const auto sizes = [](const at::Tensor& t) {
    std::string text = "(";
    if (!t.defined()) return std::string("missing");
    for (int64_t i = 0; i < t.dim(); ++i) text += (i ? ", " : "") + std::to_string(t.size(i));
    return text + ")";
  };
  throw Error("layers." + std::to_string(layer) + "." + module_path(linear) +
              ": this base needs lora_A (R, " + std::to_string(in) + ") and lora_B (" +
              std::to_string(out) + ", R), the adapter holds " + sizes(pair.a) + " and " +
              sizes(pair.b) + ": it was made for another base");
}

}  // namespace plumb
