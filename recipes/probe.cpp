#include "recipes/probe.h"

#include <algorithm>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "reward/reward_model.h"

namespace plumb {
namespace {

constexpr int64_t kProbeTokens = 32;

// Ids spread over the vocabulary, so that rows of the embedding from all over it are compared.
std::vector<int32_t> probe_ids(const ModelConfig& config) {
  const int64_t T = std::min(kProbeTokens, position_limit(config));
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < T; ++t)
    ids.push_back(static_cast<int32_t>((t * 7919 + 1) % config.vocab_size));
  return ids;
}

void compare(const at::Tensor& wanted, const at::Tensor& found, double tolerance,
             const std::string& what) {
  const double largest = std::max(1.0, wanted.abs().max().item<double>());
  const double difference = (wanted - found).abs().max().item<double>();
  if (difference <= tolerance * largest) return;
  throw Error(what + " differ by " + std::to_string(difference) +
                  " from the trained model's after reopening; "
                  "the export is not to be used",
              Exit::failed);
}

}  // namespace

Probe probe(const Decoder& decoder, const Adapter* adapter, const at::Tensor& score) {
  const at::NoGradGuard no_grad;
  const std::vector<int32_t> ids = probe_ids(decoder.config);
  // Half of them an encoder's, where there is one.
  const auto batch = pack({ids}, {(std::ssize(ids) + 1) / 2});
  ForwardOptions options;
  if (adapter != nullptr) options.adapters = {{0, batch.num_rows(), adapter}};
  const auto hidden = decoder.hidden(batch, options);
  return {decoder.logits(hidden).cpu(),
          score.defined() ? head_values(hidden, score).cpu() : at::Tensor()};
}

void check_same(const Probe& wanted, const Probe& found, double tolerance,
                const std::string& folder) {
  compare(wanted.logits, found.logits, tolerance, folder + ": logits");
  if (wanted.scores.defined()) compare(wanted.scores, found.scores, tolerance, folder + ": scores");
}

}  // namespace plumb
