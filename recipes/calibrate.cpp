// Times the work of a plan on this machine: one layer of the model's shapes, with random weights,
// forward and backward as the job runs it; the head's chunks; decoding; the optimizer's sweep.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>

#include "core/model/file_tensors.h"
#include "core/model/generate.h"
#include "core/ops/gemm.h"
#include "core/plan/memory.h"
#include "core/train/optimizer.h"
#include "lora/attach.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"

namespace plumb {
namespace {

using plan::Decode;
using plan::Pass;

constexpr double kPassFlops = 1.2e10;    // of a timed pass at most: a tenth of a second or two
constexpr int64_t kVocab = 512;          // of the model of one layer: its head is timed apart
constexpr int64_t kHeadVocab = 1 << 16;  // rows of a timed head at most
constexpr int64_t kSweep = 1 << 22;      // parameters
constexpr int kRuns = 2;                 // after one that warms up

double best_seconds(const std::function<void()>& body) {
  double best = 1e30;
  body();
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

ModelConfig with_layers(const ModelConfig& config, int64_t layers, int64_t vocab) {
  ModelConfig small = config;
  small.num_hidden_layers = layers;
  if (small.is_encoder_decoder) small.num_encoder_layers = layers;
  if (!small.windows.empty()) small.windows.assign(layers, small.windows[0]);
  small.vocab_size = std::min(vocab, config.vocab_size);
  // Prompts of a timing may be longer than the model's context.
  small.max_position_embeddings = std::max<int64_t>(config.max_position_embeddings, 1024);
  small.tie_word_embeddings = true;
  small.bos_token_id.reset();
  small.eos_token_ids.clear();
  small.pad_token_id.reset();
  small.decoder_start_token_id = 0;
  return small;
}

Adapter adapter_of(const ModelConfig& config, const plan::AdapterShape& shape) {
  LoraOptions options;
  options.rank = shape.rank;
  options.targets = shape.targets;
  return make_adapter(config, options, 1);
}

// With weights that are finite; times do not depend on their values.
Decoder decoder_of(const ModelConfig& config) {
  Decoder decoder;
  decoder.config = config;
  decoder.weights = allocate_weights(config);
  for (const NamedTensor& named : decoder.parameters()) named.tensor.fill_(0.01);
  return decoder;
}

// A pass in which each group has whole sequences of about the length.
struct Probe {
  PackedBatch batch;
  std::vector<Adapter> adapters;
  ForwardOptions options;
  double rows = 0;
};

double flops_of_layer(const Pass& pass) {
  return (total_flops(layer_gemms(pass)) + attention_flops(pass)) /
         static_cast<double>(pass.config->num_hidden_layers);
}

Probe probe_of(const Pass& pass, const ModelConfig& config) {
  const double share = std::min(1.0, kPassFlops / flops_of_layer(pass));
  const auto groups = static_cast<int64_t>(pass.groups.size());
  const auto rows = static_cast<int64_t>(pass.rows * share / static_cast<double>(groups));
  const int64_t length =
      std::clamp<int64_t>(static_cast<int64_t>(pass.length), 2, std::max<int64_t>(2, rows));
  const int64_t sequences = std::max<int64_t>(1, (rows + length / 2) / length);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < length; ++t) ids.push_back(static_cast<int32_t>(t % config.vocab_size));
  std::vector<int64_t> sources;
  const auto source = std::clamp<int64_t>(
      static_cast<int64_t>(pass.source_rows / pass.rows * static_cast<double>(length)), 1, length);
  if (config.is_encoder_decoder) sources.assign(sequences * groups, source);
  Probe probe;
  probe.batch = pack(std::vector<std::vector<int32_t>>(sequences * groups, ids), sources);
  for (const auto& group : pass.groups) {
    probe.adapters.push_back(group.adapter.rank > 0 ? adapter_of(config, group.adapter)
                                                    : Adapter{});
  }
  const int64_t of_group = sequences * length;
  for (int64_t g = 0; g < groups; ++g) {
    if (pass.groups[g].adapter.rank == 0) continue;
    probe.options.adapters.push_back({g * of_group, (g + 1) * of_group, &probe.adapters[g]});
  }
  probe.rows = static_cast<double>(of_group * groups);
  return probe;
}

// Seconds of one layer for all rows of the pass.
double layer_seconds(const Pass& pass) {
  const ModelConfig config = with_layers(*pass.config, 1, kVocab);
  const Decoder decoder = decoder_of(config);
  const Probe probe = probe_of(pass, config);
  std::vector<NamedTensor> trained;
  if (pass.trains_base) trained = decoder.parameters();
  for (std::size_t g = 0; g < pass.groups.size(); ++g) {
    if (!pass.groups[g].is_trained) continue;
    for (NamedTensor& named : parameters(probe.adapters[g])) trained.push_back(named);
  }
  for (const NamedTensor& named : trained) named.tensor.set_requires_grad(true);
  const Gradients gradients(trained);
  const double seconds = best_seconds([&] {
    const c10::AutoGradMode mode(pass.has_backward);
    const at::Tensor hidden = decoder.hidden(probe.batch, probe.options);
    if (pass.has_backward) hidden.sum().backward();
  });
  return seconds * pass.rows / probe.rows;
}

double head_seconds(const Pass& pass) {
  if (pass.head_rows < 1) return 0;
  const ModelConfig& config = *pass.config;
  const auto vocab = std::min(config.vocab_size, kHeadVocab);
  const double row_flops = 6.0 * static_cast<double>(vocab * config.hidden_size);
  const double chunk = plan::head_chunk_rows(config, pass.head_rows, sizeof(float));
  const auto rows = static_cast<int64_t>(
      std::max(1.0, std::min(pass.head_rows, std::max(chunk, kPassFlops / row_flops))));
  const at::Tensor hidden = at::rand({rows, config.hidden_size});
  const at::Tensor weight = at::rand({vocab, config.hidden_size});
  const at::Tensor targets = at::zeros({rows}, at::kLong);
  hidden.set_requires_grad(pass.has_backward);
  weight.set_requires_grad(pass.trains_base);
  const double seconds = best_seconds([&] {
    const c10::AutoGradMode mode(pass.has_backward);
    if (!pass.has_backward) {
      token_stats(hidden, {weight}, targets);
      return;
    }
    cross_entropy_sum(hidden, {weight}, targets).backward();
  });
  return seconds * pass.head_rows / static_cast<double>(rows) *
         static_cast<double>(config.vocab_size) / static_cast<double>(vocab);
}

// Seconds to complete `requests` prompts by `new_tokens` tokens.
double generate_seconds(const Decoder& decoder, const Decode& decode,
                        const std::vector<GenerateRequest>& requests, int64_t new_tokens) {
  const plan::AdapterShape& shape = decode.adapter;
  const Adapter adapter = shape.rank > 0 ? adapter_of(decoder.config, shape) : Adapter{};
  GenerateTask task;
  task.weights = std::make_shared<DecodeWeights>(weight_format_of(decode.weights));
  task.decoder = &decoder;
  task.adapter = shape.rank > 0 ? &adapter : nullptr;
  task.sampling.max_new_tokens = new_tokens;
  task.max_batch = std::ssize(requests);
  return best_seconds([&] { generate(task, requests); });
}

std::vector<GenerateRequest> requests_of(int64_t count, int64_t tokens, int64_t vocab) {
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < count; ++i) {
    GenerateRequest request;
    request.sample_id = static_cast<uint64_t>(i);
    // No two begin alike: a shared beginning is computed once.
    for (int64_t t = 0; t < tokens; ++t) {
      request.prompt.push_back(static_cast<int32_t>((i + t * 7) % vocab));
    }
    requests.push_back(request);
  }
  return requests;
}

// Two models of one layer more or less: the difference is a layer's.
double decode_seconds(const Decode& decode) {
  constexpr int64_t kTokens = 4, kLongest = 256;
  const auto rows = std::max<int64_t>(1, static_cast<int64_t>(decode.rows));
  const int64_t vocab = decode.is_prompt ? kVocab : kHeadVocab;
  const auto seconds_with = [&](int64_t layers) {
    const Decoder decoder = decoder_of(with_layers(*decode.config, layers, vocab));
    const int64_t ids = decoder.config.vocab_size;
    if (decode.is_prompt) {
      return generate_seconds(decoder, decode, requests_of(1, rows + 1, ids), 1);
    }
    const auto context = std::clamp<int64_t>(static_cast<int64_t>(decode.context), 2, kLongest);
    const auto requests = requests_of(rows, context, ids);
    return (generate_seconds(decoder, decode, requests, 1 + kTokens) -
            generate_seconds(decoder, decode, requests, 1)) /
           kTokens;
  };
  const double one = seconds_with(1), two = seconds_with(2);
  const double layer = std::max(two - one, 0.0);
  const double rest = decode.is_prompt ? 0 : std::max(one - layer, 0.0);
  return layer * static_cast<double>(decode.config->num_hidden_layers) + rest;
}

double sweep_rate() {
  const std::vector<NamedTensor> parameters = {{"sweep", at::zeros({kSweep / 1024, 1024})}};
  AdamW optimizer(parameters, {});
  const double seconds = best_seconds([&] {
    optimizer.gradients().zero();
    optimizer.clip_and_norm(1.0);
    optimizer.step(1e-4);
  });
  return 4.0 * 10 * static_cast<double>(kSweep) / seconds;
}

double resident_bytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

plan::Calibration run_calibration(std::vector<plan::WorkItem>& work,
                                  const plan::CalibrationRequest& request) {
  choose_device("cpu", request.threads);
  set_gemm_precision(request.multiplies_bf16 ? GemmPrecision::bf16 : GemmPrecision::f32);
  plan::Calibration measured;
  measured.bytes_per_second = sweep_rate();
  double flops = 0, seconds = 0;
  for (plan::WorkItem& item : work) {
    switch (item.kind) {
      case plan::WorkKind::pass: {
        const auto layers = static_cast<double>(item.pass.config->num_hidden_layers);
        const double layer = layer_seconds(item.pass);
        item.seconds = layer * layers + head_seconds(item.pass);
        flops += flops_of_layer(item.pass);
        seconds += layer;
        break;
      }
      case plan::WorkKind::decode:
        item.seconds = decode_seconds(item.decode);
        break;
      case plan::WorkKind::sweep:
        item.seconds = item.bytes / measured.bytes_per_second;
        break;
    }
  }
  measured.flops = seconds > 0 ? flops / seconds : 0;
  measured.program_bytes = resident_bytes();
  return measured;
}

}  // namespace plumb
