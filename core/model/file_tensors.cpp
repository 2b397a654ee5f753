#include "core/model/file_tensors.h"

namespace plumb {
namespace {

struct Part {
  const char* name;
  int64_t rows;
};

// Slices of one fused tensor along its first dimension.
void add_parts(std::vector<FileTensor>& all, const std::string& prefix, const at::Tensor& fused,
               std::initializer_list<Part> parts, const char* suffix) {
  int64_t row = 0;
  for (const Part& part : parts) {
    all.push_back({prefix + part.name + suffix, fused.narrow(0, row, part.rows)});
    row += part.rows;
  }
}

void add_layer(std::vector<FileTensor>& all, const LayerWeights& layer, const ModelConfig& config,
               int64_t index) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  const auto qkv = {Part{"self_attn.q_proj", q}, Part{"self_attn.k_proj", kv},
                    Part{"self_attn.v_proj", kv}};
  all.push_back({prefix + "input_layernorm.weight", layer.input_norm});
  add_parts(all, prefix, layer.qkv, qkv, ".weight");
  if (layer.qkv_bias.defined()) {
    add_parts(all, prefix, layer.qkv_bias, qkv, ".bias");
  }
  all.push_back({prefix + "self_attn.o_proj.weight", layer.o});
  all.push_back({prefix + "post_attention_layernorm.weight", layer.post_norm});
  add_parts(all, prefix, layer.gate_up,
            {Part{"mlp.gate_proj", config.intermediate_size},
             Part{"mlp.up_proj", config.intermediate_size}},
            ".weight");
  all.push_back({prefix + "mlp.down_proj.weight", layer.down});
}

}  // namespace

DecoderWeights allocate_weights(const ModelConfig& config, at::Device device) {
  const auto f32 = at::TensorOptions().dtype(at::kFloat).device(device);
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  const int64_t heads_width = config.num_attention_heads * config.head_dim;
  const int64_t qkv_width = heads_width + 2 * config.num_key_value_heads * config.head_dim;
  DecoderWeights weights;
  weights.embed_tokens = at::empty({config.vocab_size, width}, f32);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    weights.layers.push_back({at::empty({width}, f32), at::empty({qkv_width, width}, f32),
                              config.attention_bias ? at::empty({qkv_width}, f32) : at::Tensor(),
                              at::empty({width, heads_width}, f32), at::empty({width}, f32),
                              at::empty({2 * inner, width}, f32), at::empty({width, inner}, f32)});
  }
  weights.final_norm = at::empty({width}, f32);
  weights.lm_head = config.tie_word_embeddings ? weights.embed_tokens
                                               : at::empty({config.vocab_size, width}, f32);
  return weights;
}

std::vector<FileTensor> file_tensors(const DecoderWeights& weights, const ModelConfig& config) {
  std::vector<FileTensor> all{{"model.embed_tokens.weight", weights.embed_tokens}};
  for (std::size_t layer = 0; layer < weights.layers.size(); ++layer) {
    add_layer(all, weights.layers[layer], config, static_cast<int64_t>(layer));
  }
  all.push_back({"model.norm.weight", weights.final_norm});
  if (!weights.lm_head.is_same(weights.embed_tokens)) {
    all.push_back({"lm_head.weight", weights.lm_head});
  }
  return all;
}

}  // namespace plumb
