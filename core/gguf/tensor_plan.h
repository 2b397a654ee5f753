// Which tensors a GGUF file holds, and from which rows of the model's own files each is made.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/gguf/architecture.h"
#include "core/io/model_files.h"

namespace plumb {

struct PlannedTensor {
  std::string name = {};  // "blk.3.attn_q.weight"
  GgmlType type = GgmlType::f32;
  std::vector<std::int64_t> shape = {};

  ShardedModelFiles::Tensor from = {};      // in safetensors; none: `values`
  std::vector<std::int64_t> file_row = {};  // of each row; empty: in the files' order
  bool is_transposed = false;               // the files hold (I, O)
  float added = 0;                          // to every value: Gemma keeps w where the norm is 1 + w
  float factor = 1;                         // of every value: of T5's head
  std::vector<float> values = {};

  std::int64_t width() const { return shape.back(); }
  std::int64_t rows() const;
};

// Where a linear of the family goes, for models and adapters alike. `file_row` as above.
struct GgufLinear {
  std::string module;  // "model.layers.3.self_attn.q_proj"
  std::string name;    // "blk.3.attn_q", without .weight
  std::vector<std::int64_t> file_row;
  std::int64_t outputs = 0;
  std::int64_t inputs = 0;
};
std::vector<GgufLinear> gguf_linears(const ModelConfig& config,
                                     const GgufArchitecture& architecture);

// The type a tensor is stored in when `wanted` is asked for: vectors, norms and positions stay f32;
// rows that are no whole blocks become f16; with q4_0 the head is q8_0, which it feels most.
GgmlType stored_type(const PlannedTensor& tensor, GgmlType wanted, bool is_head);

// Every tensor of the files finds its place, or Error names the one that has none or is missing. A
// head that equals the embedding, by content, is left out where the architecture allows.
std::vector<PlannedTensor> plan_tensors(const ModelConfig& config,
                                        const GgufArchitecture& architecture,
                                        const ShardedModelFiles& files, GgmlType type);

}  // namespace plumb
