// Logits at every position, for inspection and for comparing with other tools.
//   plumb logits MODEL --ids "1 403 407" --json
#include <iostream>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "recipes/common/parse_ids.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/use_model.h"

namespace plumb {
namespace {

struct Reading {
  std::vector<int32_t> ids;     // the sequence
  std::vector<int64_t> source;  // of a text-to-text model: how many of them the encoder reads
  std::vector<int32_t> read;    // the token at each row of the logits
};

void check_ids(const std::vector<int32_t>& ids, const ModelConfig& config) {
  for (const int32_t id : ids) {
    if (id >= config.vocab_size) {
      throw Error("ids: " + std::to_string(id) + " is outside the vocabulary of " +
                      std::to_string(config.vocab_size),
                  Exit::usage);
    }
  }
  if (static_cast<int64_t>(ids.size()) > position_limit(config)) {
    throw Error("ids: " + std::to_string(ids.size()) +
                    " tokens, more than the model's context of " +
                    std::to_string(position_limit(config)),
                Exit::usage);
  }
}

Reading wanted_reading(const LogitsOptions& options, const UsedModel& model) {
  if (options.ids.empty() == options.text.empty())
    throw Error("plumb logits takes either --ids or --text", Exit::usage);
  const ModelConfig& config = model.decoder->config;
  Reading reading;
  reading.ids = options.ids.empty() ? model.tokenizer.encode(options.text) : parse_ids(options.ids);
  if (reading.ids.empty()) throw Error("no ids to read", Exit::usage);
  reading.read = reading.ids;
  if (config.is_encoder_decoder) {
    reading.source = {static_cast<int64_t>(reading.ids.size())};
    const auto target = parse_ids(options.target_ids);
    reading.ids.insert(reading.ids.end(), target.begin(), target.end());
    reading.read = target;
    reading.read.insert(reading.read.begin(), config.decoder_start_token_id);
  } else if (!options.target_ids.empty()) {
    throw Error("--target-ids: goes with text-to-text models; " + config.model_type + " is none",
                Exit::usage);
  }
  check_ids(reading.ids, config);
  return reading;
}

// (rows read, V)
at::Tensor logits_of(const Reading& reading, const UsedModel& model) {
  const auto batch = pack({reading.ids}, reading.source);
  ForwardOptions forward;
  if (model.adapter() != nullptr) forward.adapters = {{0, batch.num_rows(), model.adapter()}};
  const auto rows = static_cast<int64_t>(reading.read.size());
  const auto hidden = model.decoder->hidden(batch, forward);
  return model.decoder->logits(hidden.narrow(0, batch.num_rows() - rows, rows)).cpu();
}

void print_likeliest(const at::Tensor& logits, const std::vector<int32_t>& ids,
                     const Tokenizer& tokenizer) {
  constexpr int64_t kShown = 5;
  const auto logprobs = logits.log_softmax(-1);
  const auto [values, indices] = logprobs.topk(std::min(kShown, logits.size(1)));
  for (int64_t t = 0; t < logits.size(0); ++t) {
    std::cout << t << "\t" << Json(tokenizer.id_to_token(ids[t])).dump() << "\t->";
    for (int64_t k = 0; k < values.size(1); ++k) {
      const auto id = static_cast<int32_t>(indices[t][k].item<int64_t>());
      std::cout << "  " << Json(tokenizer.id_to_token(id)).dump() << " "
                << values[t][k].item<float>();
    }
    std::cout << "\n";
  }
}

}  // namespace

void run_logits(const LogitsOptions& options) {
  choose_device(options.use.device, options.use.threads);
  const auto model = open_model(options.model, options.use.adapter);
  const auto reading = wanted_reading(options, model);
  const at::NoGradGuard no_grad;
  const auto logits = logits_of(reading, model);
  if (!options.use.json) return print_likeliest(logits, reading.read, model.tokenizer);
  Json rows = Json::array();
  for (int64_t t = 0; t < logits.size(0); ++t) {
    const float* row = logits.const_data_ptr<float>() + t * logits.size(1);
    rows.push_back(std::vector<float>(row, row + logits.size(1)));
  }
  std::cout << Json{{"logits", rows}}.dump() << "\n";
}

}  // namespace plumb
