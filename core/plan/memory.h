// Memory of a run by kind and phase, from shapes alone. Formulas follow what the code keeps; each
// names the file that it counts.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/plan/work.h"

namespace plumb::plan {

enum class Kind {
  weights,         // of the base
  decode_weights,  // the narrower copy that responses are drawn with
  other_models,  // reward models with a base of their own, a second copy while results are compared
  adapters,      // trained and frozen ones, scalar heads
  gradients,
  optimizer,    // AdamW's two moments; master copies where weights are narrower than f32
  activations,  // what forward saves, and what the widest moment of backward adds
  head,         // rows that reach the vocabulary, a chunk of logits, the head's gradient
  cache,        // keys and values, and the buffers of decoding
  allocator,    // what is freed and not given back, by measurement
  program,      // libraries, tokenizer, buffers of the matrix products
};
constexpr int kNumKinds = 11;
const char* kind_name(Kind kind);  // "weights", "other models", ...

struct Phase {
  std::string name;  // "training", "rollout"
  std::array<double, kNumKinds> bytes{};

  double& operator[](Kind kind) { return bytes[static_cast<std::size_t>(kind)]; }
  double operator[](Kind kind) const { return bytes[static_cast<std::size_t>(kind)]; }
  double total() const;
};

// Bytes of a value.
struct Precision {
  double weights = 4;              // of a base that is not trained
  double activations = 4;          // and of the logits' chunk
  double trained = 4;              // of adapters, gradients and each of AdamW's moments
  bool has_master_copies = false;  // weights that are trained are kept twice, as `weights` and f32
  // Shares of the activations that the allocator keeps beyond what is alive: where adapters are
  // trained, and where all weights are, whose gradients come and go between the activations.
  double unreturned = 0;
  double unreturned_of_all = 0;
};

struct PassMemory {
  double activations = 0;
  double head = 0;
};

// The most that is alive at once beside what the run holds all along.
PassMemory pass_memory(const Pass& pass, const Precision& precision);

// While sequences are decoded in `slots` slots up to `positions` tokens each; prompts of
// `prompt` tokens open them (core/model/kv_cache.cpp, generate_batch.cpp, decode_forward.cpp).
struct DecodeRoom {
  SharedConfig config;
  AdapterShape adapter;
  std::int64_t slots = 0;
  std::int64_t prompt = 0;
  std::int64_t positions = 0;
};
double decode_memory(const DecodeRoom& room, const Precision& precision);

// Bytes of the copy of products and head that decoding reads; `format` f32 needs none
// (core/model/decode_weights.h: a scale in f32 for each 32 int8 weights).
double decode_copy_bytes(const ModelConfig& config, const std::string& format);

// Rows of logits that are formed at once (core/ops/token_loss.cpp).
double head_chunk_rows(const ModelConfig& config, double rows, double value_bytes);

}  // namespace plumb::plan
