// A family's names for the weights, and where each lies in the decoder's tensors.
#pragma once
#include <string>
#include <vector>

#include "core/model/decoder.h"

namespace plumb {

// f32 weights of the config's shapes, uninitialised; the head is the embedding where the config
// ties them. On at::kMeta they are shapes without memory.
DecoderWeights allocate_weights(const ModelConfig& config, at::Device device = at::kCPU);

enum class WeightKind { embedding, norm, bias, linear };

// A tensor as files hold it. Its values are those of `pieces`, one under another: views of the
// decoder's tensors, several where a fused qkv's rows lie in another order in files, and transposed
// ones where files hold (I, O).
struct FileTensor {
  std::string name;  // "model.layers.3.self_attn.q_proj.weight"
  WeightKind kind = WeightKind::embedding;
  std::vector<int64_t> shape = {};  // in files
  std::vector<at::Tensor> pieces = {};
  bool adds_to_residual = false;  // o and down

  // The values in the file's order: a view where memory has it too, else a copy.
  at::Tensor whole() const;
  // The pieces become `values` (shape).
  void assign(const at::Tensor& values) const;
};

// All of them, in transformers' order; a tied head is not listed. `weights` may be anything laid
// out as the decoder's are: its gradients, for example.
std::vector<FileTensor> file_tensors(const DecoderWeights& weights, const ModelConfig& config);

}  // namespace plumb
