// Hugging Face's names for the weights, and where each lies in the fused tensors.
#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"

namespace plumb {

// f32 weights of the config's shapes, uninitialised; the head is the embedding where the config
// ties them. On at::kMeta they are shapes without memory.
DecoderWeights allocate_weights(const ModelConfig& config, at::Device device = at::kCPU);

// A tensor as files hold it: a dense view of one of the decoder's tensors.
struct FileTensor {
  std::string name;  // "model.layers.3.self_attn.q_proj.weight"
  at::Tensor view;
};

// All of them, in transformers' order; a tied head is not listed.
std::vector<FileTensor> file_tensors(const DecoderWeights& weights, const ModelConfig& config);

}  // namespace plumb
