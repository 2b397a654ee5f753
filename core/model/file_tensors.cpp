#include "core/model/file_tensors.h"

#include <utility>

#include "core/io/family.h"
#include "core/io/linear_sites.h"
#include "core/model/huge_pages.h"

namespace plumb {
namespace {

// Files' row order and orientation of one linear's weight, (O, I) in memory, or bias, (O).
FileTensor linear_tensor(std::string name, const LinearSite& site, const at::Tensor& product,
                         WeightOrder order) {
  FileTensor tensor{std::move(name), product.dim() == 1 ? WeightKind::bias : WeightKind::linear};
  tensor.shape = {site.outputs};
  if (product.dim() == 2) tensor.shape.push_back(site.inputs);
  for (const RowRange& rows : site.file_rows) {
    tensor.pieces.push_back(product.narrow(0, site.row + rows.begin, rows.count));
  }
  tensor.adds_to_residual =
      product.dim() == 2 && (site.linear == Linear::o || site.linear == Linear::down);
  if (product.dim() == 2 && order == WeightOrder::in_out) {
    TORCH_INTERNAL_ASSERT(tensor.pieces.size() == 1);
    tensor.pieces[0] = tensor.pieces[0].t();
    std::swap(tensor.shape[0], tensor.shape[1]);
  }
  return tensor;
}

FileTensor dense(std::string name, WeightKind kind, const at::Tensor& tensor) {
  return {std::move(name), kind, tensor.sizes().vec(), {tensor}};
}

void add_norm(std::vector<FileTensor>& all, const std::string& name, const NormWeights& norm) {
  all.push_back(dense(name + ".weight", WeightKind::norm, norm.weight));
  if (norm.bias.defined()) all.push_back(dense(name + ".bias", WeightKind::bias, norm.bias));
}

const NormWeights& norm_at(const LayerWeights& layer, NormSite site) {
  switch (site) {
    case NormSite::attention:
      return layer.attention_norm;
    case NormSite::mlp:
      return layer.mlp_norm;
    case NormSite::after_attention:
      return layer.after_attention_norm;
    case NormSite::after_mlp:
      return layer.after_mlp_norm;
    case NormSite::q:
      return layer.q_norm;
    case NormSite::k:
      break;
  }
  return layer.k_norm;
}

const std::vector<NormName>& norms_of(const TensorNames& names, Stack stack) {
  switch (stack) {
    case Stack::encoder:
      return names.source.encoder.norms;
    case Stack::cross:
      return names.source.cross.norms;
    case Stack::decoder:
      break;
  }
  return names.norms;
}

void add_stack(std::vector<FileTensor>& all, const DecoderWeights& weights, const LayerStack& stack,
               const TensorNames& names) {
  for (int64_t index = stack.first; index < stack.first + stack.count; ++index) {
    const LayerWeights& layer = weights.layers[index];
    const std::string prefix = stack.prefix(index);
    for (const LinearSite& site : stack.sites) {
      const ProductWeights& product = layer.product(site.product);
      const std::string name = prefix + site.module;
      all.push_back(linear_tensor(name + ".weight", site, product.weight, names.weight_order));
      if (!product.bias.defined()) continue;
      all.push_back(linear_tensor(name + ".bias", site, product.bias, names.weight_order));
    }
    for (const NormName& norm : norms_of(names, stack.stack)) {
      add_norm(all, prefix + std::string(norm.module), norm_at(layer, norm.site));
    }
  }
}

NormWeights allocate_norm(const ModelConfig& config, int64_t width, at::TensorOptions options) {
  const bool has_bias = config.norm == Norm::layer;
  return {at::empty({width}, options), has_bias ? at::empty({width}, options) : at::Tensor()};
}

// Matrices, in the order in which a forward pass reads them.
class Matrices {
 public:
  explicit Matrices(at::TensorOptions options) : options_(options) {}

  at::Tensor rows(int64_t outputs, int64_t inputs) {
    return options_.device().is_cpu() ? blocks_.empty({outputs, inputs}, at::kFloat)
                                      : at::empty({outputs, inputs}, options_);
  }

  ProductWeights product(int64_t outputs, int64_t inputs, bool has_bias) {
    return {rows(outputs, inputs), has_bias ? at::empty({outputs}, options_) : at::Tensor()};
  }

 private:
  at::TensorOptions options_;  // f32
  HugePageBlocks blocks_;
};

LayerWeights allocate_layer(const ModelConfig& config, Stack stack, at::TensorOptions options,
                            Matrices& matrices) {
  const int64_t C = config.hidden_size, F = config.intermediate_size, D = config.head_dim;
  const int64_t q = config.num_attention_heads * D, kv = config.num_key_value_heads * D;
  LayerWeights layer;
  layer.attention_norm = allocate_norm(config, C, options);
  layer.qkv = matrices.product(q + 2 * kv, C, config.has_qkv_bias);
  layer.o = matrices.product(C, q, config.has_o_bias);
  if (stack == Stack::cross) return layer;
  if (config.block_order != BlockOrder::parallel_shared_norm) {
    layer.mlp_norm = allocate_norm(config, C, options);
  }
  layer.gate_up = matrices.product(config.is_gated ? 2 * F : F, C, config.has_mlp_bias);
  layer.down = matrices.product(C, F, config.has_mlp_bias);
  if (config.has_post_norms) {
    layer.after_attention_norm = allocate_norm(config, C, options);
    layer.after_mlp_norm = allocate_norm(config, C, options);
  }
  if (config.has_qk_norm) {
    layer.q_norm.weight = at::empty({D}, options);
    layer.k_norm.weight = at::empty({D}, options);
  }
  return layer;
}

}  // namespace

at::Tensor FileTensor::whole() const {
  return pieces.size() == 1 ? pieces[0] : at::cat(pieces);
}

void FileTensor::assign(const at::Tensor& values) const {
  int64_t row = 0;
  for (const at::Tensor& piece : pieces) {
    piece.copy_(values.narrow(0, row, piece.size(0)));
    row += piece.size(0);
  }
}

DecoderWeights allocate_weights(const ModelConfig& config, at::Device device) {
  const auto f32 = at::TensorOptions().dtype(at::kFloat).device(device);
  DecoderWeights weights;
  Matrices matrices(f32);
  weights.embed_tokens = matrices.rows(config.vocab_size, config.hidden_size);
  if (config.positions == Positions::learned) {
    weights.embed_positions = at::empty({config.max_position_embeddings, config.hidden_size}, f32);
  }
  for (const LayerStack& stack : layer_stacks(config)) {
    for (int64_t layer = 0; layer < stack.count; ++layer) {
      weights.layers.push_back(allocate_layer(config, stack.stack, f32, matrices));
    }
  }
  weights.final_norm = allocate_norm(config, config.hidden_size, f32);
  if (config.is_encoder_decoder) {
    weights.encoder_norm = allocate_norm(config, config.hidden_size, f32);
  }
  if (config.positions == Positions::relative) {
    weights.relative_bias = at::empty({config.relative_buckets, config.num_attention_heads}, f32);
    if (config.is_encoder_decoder) {
      weights.encoder_relative_bias = at::empty_like(weights.relative_bias);
    }
  }
  weights.lm_head = config.tie_word_embeddings
                        ? weights.embed_tokens
                        : matrices.rows(config.vocab_size, config.hidden_size);
  return weights;
}

std::vector<FileTensor> file_tensors(const DecoderWeights& weights, const ModelConfig& config) {
  const TensorNames names = family_of(config).names(config);
  std::vector<FileTensor> all;
  all.push_back(
      dense(std::string(names.embed_tokens), WeightKind::embedding, weights.embed_tokens));
  if (weights.embed_positions.defined()) {
    all.push_back(
        dense(std::string(names.embed_positions), WeightKind::embedding, weights.embed_positions));
  }
  for (const LayerStack& stack : layer_stacks(config)) {
    add_stack(all, weights, stack, names);
  }
  add_norm(all, std::string(names.final_norm), weights.final_norm);
  if (config.is_encoder_decoder) {
    add_norm(all, std::string(names.source.final_norm), weights.encoder_norm);
    all.push_back(dense(std::string(names.source.relative_bias), WeightKind::embedding,
                        weights.encoder_relative_bias));
    all.push_back(dense(std::string(names.source.decoder_relative_bias), WeightKind::embedding,
                        weights.relative_bias));
  }
  if (!weights.lm_head.is_same(weights.embed_tokens)) {
    all.push_back(dense(std::string(names.lm_head), WeightKind::embedding, weights.lm_head));
  }
  return all;
}

}  // namespace plumb
