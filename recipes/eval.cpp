// Perplexity on text: exp of the mean negative log-likelihood over every token but each window's
// first; of a text-to-text model on answers, given their prompts.
//   plumb eval MODEL --data held_out.txt
#include <cmath>
#include <iostream>
#include <numeric>

#include "core/data/batch_plan.h"
#include "core/io/position_limit.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/use_model.h"
#include "sft/next_token_job.h"

namespace plumb {
namespace {

struct Measured {
  double loss = 0;     // nats, summed
  double entropy = 0;  // nats, summed
  int64_t tokens = 0;
};

Measured measure(const UsedModel& model, const Dataset& data, int64_t micro_batch_tokens) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> all(data.size());
  std::iota(all.begin(), all.end(), 0);
  Measured measured;
  for (const auto& indices : micro_batches(all, data.lengths(all), micro_batch_tokens)) {
    std::vector<Sample> samples;
    for (const int64_t index : indices) samples.push_back(data.sample(index));
    const auto batch = make_token_batch(samples);
    const auto sum = next_token_loss({model.decoder.get(), model.adapter()}, batch, std::nullopt);
    measured.loss += sum.loss.item<double>();
    measured.entropy += sum.sums[0];
    measured.tokens += batch.num_targets();
  }
  return measured;
}

}  // namespace

void run_eval(const EvalOptions& options) {
  choose_device(options.use.device, options.use.threads);
  const auto model = open_model(options.model, options.use.adapter);
  DataNeed need;
  need.is_text_to_text = model.decoder->config.is_encoder_decoder;
  need.kind = need.is_text_to_text ? SampleKind::conversation : SampleKind::text;
  need.data.path = options.data;
  need.data.max_length = options.max_length;
  need.context = position_limit(model.decoder->config);
  need.run.threads = options.use.threads;
  const auto data = prepare_data(need, model.tokenizer, Telling::quiet);
  const auto measured = measure(model, data.train, options.micro_batch_tokens);
  const double mean = measured.loss / static_cast<double>(measured.tokens);
  const Json json = {{"perplexity", std::exp(mean)},
                     {"loss", mean},
                     {"entropy", measured.entropy / static_cast<double>(measured.tokens)},
                     {"tokens", measured.tokens}};
  if (options.use.json) {
    std::cout << json.dump() << "\n";
    return;
  }
  std::cout << "perplexity " << std::exp(mean) << "  (loss " << mean << " nats a token, "
            << measured.tokens << " tokens)\n";
}

}  // namespace plumb
