// A Hugging Face config.json as the decoder needs it, read as transformers 4 and 5 write it. What
// the decoder cannot compute exactly is refused by key and value, never approximated; code
// references (auto_map) are ignored with a warning.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/json.h"

namespace plumb {

// What the one decoder can be made of; a family (core/io/family.h) is a choice of these.
enum class Norm {
  rms,           // x / rms(x) * w            (Llama)
  rms_one_plus,  // x / rms(x) * (1 + w)      (Gemma)
  layer,         // LayerNorm with w and b    (GPT-2, Falcon, GPT-NeoX)
};
enum class Positions {
  rope,      // q and k rotated
  learned,   // a table added to the embedding (GPT-2)
  alibi,     // a slope a head, times the key's position, added to the scores (Falcon RW)
  relative,  // a learned scalar a head for the bucket of key - query, added to the scores (T5)
};
enum class Activation { silu, gelu, gelu_tanh, relu };  // gelu is the exact one, by erf
enum class BlockOrder {
  sequential,            // x += attention(norm(x)); x += mlp(norm(x))
  parallel,              // x += attention(norm_1(x)) + mlp(norm_2(x))
  parallel_shared_norm,  // x += attention(n) + mlp(n), n = norm(x)
};

// How rotary frequencies are stretched (transformers' modeling_rope_utils.py): "default", "linear",
// "dynamic", "llama3" and "yarn" in files.
enum class RopeType { standard, linear, dynamic, llama3, yarn };

// A field means something to the types named beside it, nothing to the others.
struct RopeScaling {
  RopeType type = RopeType::standard;
  double factor = 1.0;                                // all but standard
  double low_freq_factor = 1.0;                       // llama3
  double high_freq_factor = 4.0;                      // llama3
  std::int64_t original_max_position_embeddings = 0;  // dynamic, llama3, yarn
  double attention_factor = 1.0;                      // yarn: cos and sin are multiplied by it
  double beta_fast = 32.0;                            // yarn
  double beta_slow = 1.0;                             // yarn
  bool truncate = true;                               // yarn: whole numbers as range bounds
};

struct ModelConfig {
  Norm norm = Norm::rms;
  Positions positions = Positions::rope;
  Activation activation = Activation::silu;
  bool is_gated = true;  // mlp: down(act(gate(x)) * up(x)); otherwise down(act(up(x)))
  BlockOrder block_order = BlockOrder::sequential;
  bool has_post_norms = false;  // attention's and mlp's outputs are normed before they are added
  bool has_qk_norm = false;     // RMSNorm over each head of q and k, before rope
  bool has_qkv_bias = false;
  bool has_o_bias = false;
  bool has_mlp_bias = false;  // of gate, up and down
  // Text-to-text (T5): an encoder reads the source without a mask, every layer of the decoder
  // attends to what it made of it.
  bool is_encoder_decoder = false;

  std::int64_t vocab_size = 0;           // V
  std::int64_t hidden_size = 0;          // C
  std::int64_t intermediate_size = 0;    // F
  std::int64_t num_hidden_layers = 0;    // L, the decoder's
  std::int64_t num_encoder_layers = 0;   // E, of text-to-text models
  std::int64_t num_attention_heads = 0;  // H
  std::int64_t num_key_value_heads = 0;  // K, divides H
  std::int64_t head_dim = 0;             // D; H * D need not be C
  std::int64_t rotary_dim = 0;           // of D, even: the first of a head's values that rope turns
  std::int64_t max_position_embeddings = 2048;

  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  std::int64_t relative_buckets = 32;        // of relative positions
  std::int64_t relative_max_distance = 128;  // from here on all distances share a bucket
  double attention_scale = 0.0;              // of q . k; D^-0.5 but in Gemma (set_head_dim)
  double attention_softcap = 0.0;            // c: scores become c tanh(s / c); 0 is none
  double logits_softcap = 0.0;               // the same of the head's logits
  double embedding_scale = 1.0;              // of the embedded tokens
  double hidden_scale = 1.0;                 // of the last norm's result, before any head
  std::vector<std::int64_t>
      windows;  // (L): keys a query sees, itself included, 0 all; empty: all 0
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;

  std::optional<std::int32_t> bos_token_id;
  std::set<std::int32_t> eos_token_ids;
  std::optional<std::int32_t> pad_token_id;
  std::int32_t decoder_start_token_id = 0;  // what a text-to-text model's decoder reads first

  std::string model_type = "llama";  // names the family
  std::vector<std::string> architectures = {"LlamaForCausalLM"};
  std::string dtype;  // of the weights in the files: float32, bfloat16, float16 or "" (not said)

  Json raw = Json::object();  // the file; keys that mean nothing here are saved as they came
};

// `folder`/config.json.
ModelConfig read_model_config(const std::string& folder);
ModelConfig parse_model_config(const Json& json, const std::string& source);

// D, and what follows from it in most families: all of it is turned, scores are scaled by D^-0.5.
// For configs made in memory.
void set_head_dim(std::int64_t head_dim, ModelConfig& config);

// Sizes and numbers in range, heads that divide; throws Error naming `source` and the key. Reading
// calls it; a config made in memory should be put through it before memory is allocated by it.
void check_model_config(const ModelConfig& config, const std::string& source);

// For transformers 5 (dtype, rope_parameters) and 4 (rope_theta, rope_scaling).
Json to_json(const ModelConfig& config);

// generation_config.json: what a model's makers recommend for sampling.
struct GenerationConfig {
  std::optional<std::int32_t> bos_token_id;
  std::set<std::int32_t> eos_token_ids;
  std::optional<std::int32_t> pad_token_id;
  std::optional<double> temperature;
  std::optional<std::int64_t> top_k;
  std::optional<double> top_p;
  Json raw = Json::object();
};

// `folder`/generation_config.json; without that file, a GenerationConfig that says nothing.
GenerationConfig read_generation_config(const std::string& folder);
GenerationConfig parse_generation_config(const Json& json, const std::string& source);
Json to_json(const GenerationConfig& config);

}  // namespace plumb
