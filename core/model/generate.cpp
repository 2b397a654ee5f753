#include "core/model/generate.h"

#include <c10/core/GradMode.h>

#include <string>

#include "core/error.h"
#include "core/io/model_config.h"
#include "core/io/position_limit.h"
#include "core/model/generate_batch.h"
#include "core/ops/backend.h"
#include "core/profile/span.h"
#include "core/text/chat_template.h"

namespace plumb {
namespace {

void check_request(const GenerateRequest& request, const ModelConfig& config) {
  const std::string name = "sample " + std::to_string(request.sample_id);
  const auto length = static_cast<int64_t>(request.prompt.size());
  if (length == 0) {
    throw Error(name + ": the prompt has no tokens; begin it with the model's BOS");
  }
  if (length >= position_limit(config)) {
    throw Error(name + ": a prompt of " + std::to_string(length) +
                " tokens leaves no room in max_position_embeddings (" +
                std::to_string(position_limit(config)) + "); shorten it");
  }
  for (const int32_t id : request.prompt) {
    if (id < 0 || id >= config.vocab_size) {
      throw Error(name + ": prompt token " + std::to_string(id) + " is outside the model's " +
                  std::to_string(config.vocab_size) +
                  " tokens; is the tokenizer that of another model?");
    }
  }
}

void check_task(const GenerateTask& task) {
  const ModelConfig& config = task.decoder->config;
  if (task.max_batch < 1) {
    throw Error("max_batch must be at least 1, got " + std::to_string(task.max_batch), Exit::usage);
  }
  for (const int32_t id : task.eos_ids) {
    if (id < 0) {
      throw Error("EOS id " + std::to_string(id) + " is negative");
    }
  }
  const at::Tensor& head = task.decoder->weights.lm_head;
  if (head.scalar_type() != at::kFloat) {
    throw Error("generation reads f32 weights, got " +
                std::string(c10::toString(head.scalar_type())));
  }
  if (task.adapter != nullptr && std::ssize(task.adapter->layers) != num_layers(config)) {
    throw Error("the adapter has " + std::to_string(task.adapter->layers.size()) +
                " layers, the model " + std::to_string(num_layers(config)) +
                "; it belongs to another base");
  }
}

}  // namespace

KeptWeights kept_weights(const std::string& format, const Decoder& decoder) {
  if (kernels_for(decoder.weights.lm_head) != nullptr) {
    return {nullptr, std::make_shared<DeviceWeights>(device_format_of(format))};
  }
  if (format == "nf4") {
    throw Error("weights nf4: decoding reads them on GPUs alone; take int8 or bf16 on a CPU",
                Exit::usage);
  }
  return {std::make_shared<DecodeWeights>(weight_format_of(format)), nullptr};
}

std::vector<Completion> generate(const GenerateTask& task,
                                 const std::vector<GenerateRequest>& requests) {
  const c10::NoGradGuard no_grad;
  check_task(task);
  for (const GenerateRequest& request : requests) {
    check_request(request, task.decoder->config);
  }
  std::vector<Completion> completions(requests.size());
  GenerateBatch batch(task, requests, completions);
  while (!batch.finished()) {
    {
      const profile::Span span("prompts");
      batch.admit();
    }
    const profile::Span span("decode step");
    batch.step();
  }
  return completions;
}

std::set<int32_t> eos_ids_of(const std::string& folder, const ModelConfig& config,
                             const Tokenizer& tokenizer) {
  std::set<int32_t> ids = read_generation_config(folder).eos_token_ids;
  ids.insert(config.eos_token_ids.begin(), config.eos_token_ids.end());
  if (const std::optional<int32_t> id = tokenizer.eos_id()) {
    ids.insert(*id);
  }
  if (const std::optional<int32_t> id = end_of_turn(tokenizer)) {
    ids.insert(*id);
  }
  return ids;
}

}  // namespace plumb
