// Autoregressive generation over a KV cache. A sequence's tokens and log-probabilities depend on
// (weights, prompt, seed, sample id, position) alone: never on who else is in the batch (DESIGN.md
// 4, 6), so finished sequences leave at once and waiting ones take their place. On a GPU that holds
// while steps have the same number of rows, rounded up to a power of two: cuBLAS gives products of
// another number of rows other last bits.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/io/fields.h"
#include "core/model/decode_weights.h"
#include "core/model/decoder.h"
#include "core/model/device_weights.h"
#include "core/model/sampling_options.h"
#include "core/text/tokenizer.h"

namespace plumb {

struct GenerateRequest {
  std::vector<int32_t> prompt;  // not empty
  uint64_t sample_id = 0;       // keys the random draws
};

enum class Finish { eos, stop_string, length };

struct Completion {
  std::vector<int32_t> ids;     // generated only; ends with the EOS when finish == eos
  std::vector<float> logprobs;  // of each id under softmax(logits / temperature): the training
                                // distribution, before any filter
  Finish finish = Finish::length;
};

struct GenerateTask {
  const Decoder* decoder = nullptr;
  const Adapter* adapter = nullptr;  // null: the base alone
  // Null: f32. Kept by who generates again and again; the second is read where the model is on a
  // device with kernels.
  std::shared_ptr<DecodeWeights> weights;
  std::shared_ptr<DeviceWeights> device_weights = {};
  const Tokenizer* tokenizer = nullptr;  // needed for stop strings only
  std::set<int32_t> eos_ids;  // a set: generation_config, config and tokenizer may each name some
  SamplingOptions sampling;
  uint64_t seed = 0;
  int64_t max_batch = 16;  // sequences decoded at the same time
  // Called for each token as it is drawn; return false to stop everything (Ctrl-C).
  std::function<bool(std::size_t request, int32_t id)> on_token;
};

// The task's two weights for a format by name ("f32", "bf16", "int8"; on a device "nf4", too), for
// the side that will read them; the other stays null. Throws Error (Exit::usage).
struct KeptWeights {
  std::shared_ptr<DecodeWeights> host;
  std::shared_ptr<DeviceWeights> device;
};
KeptWeights kept_weights(const std::string& format, const Decoder& decoder);

// One completion a request, in order. A prompt that leaves no room in max_position_embeddings is an
// error; a completion never goes beyond it. Stop strings are looked for in the text of the
// generated ids alone (special tokens with their text), wherever they begin or end within a token;
// as in transformers, ids keep the token that completes the string. After a stop by on_token the
// completions hold what there was. Logits that are not finite are an Error (Exit::non_finite) that
// names sample and position.
std::vector<Completion> generate(const GenerateTask& task,
                                 const std::vector<GenerateRequest>& requests);

// EOS ids of generation_config.json, config.json and the tokenizer together, and the token that its
// chat template ends an answer with.
std::set<int32_t> eos_ids_of(const std::string& folder, const ModelConfig& config,
                             const Tokenizer& tokenizer);

}  // namespace plumb
