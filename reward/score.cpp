#include "reward/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/data/batch_plan.h"

namespace plumb {
namespace {

constexpr int64_t kPairsAtOnce = 256;

}  // namespace

std::vector<double> score_sequences(const Scorer& scorer,
                                    const std::vector<std::vector<int32_t>>& sequences) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> indices(sequences.size());
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<int64_t> lengths;
  for (const auto& sequence : sequences) lengths.push_back(static_cast<int64_t>(sequence.size()));

  std::vector<double> scores(sequences.size());
  for (const auto& micro : micro_batches(indices, lengths, scorer.micro_batch_tokens)) {
    std::vector<std::vector<int32_t>> chosen;
    for (const int64_t index : micro) chosen.push_back(sequences[index]);
    const auto batch = pack(chosen);
    ForwardOptions options;
    if (scorer.adapter != nullptr) options.adapters = {{0, batch.num_rows(), scorer.adapter}};
    const auto hidden = scorer.decoder->hidden(batch, options);
    const auto values =
        last_values(hidden, batch.cu_seqlens, scorer.score).to(at::kCPU, at::kDouble);
    for (size_t i = 0; i < micro.size(); ++i) scores[micro[i]] = values.const_data_ptr<double>()[i];
  }
  return scores;
}

double PairScores::accuracy() const {
  double right = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    right += chosen[i] > rejected[i] ? 1.0 : chosen[i] == rejected[i] ? 0.5 : 0.0;
  }
  return chosen.empty() ? 0.0 : right / static_cast<double>(chosen.size());
}

PairScores score_pairs(const Scorer& scorer, const Dataset& pairs, int64_t count) {
  const int64_t total = std::min(count, pairs.size());
  PairScores scores;
  for (int64_t first = 0; first < total; first += kPairsAtOnce) {
    std::vector<std::vector<int32_t>> sequences;
    for (int64_t i = first; i < std::min(first + kPairsAtOnce, total); ++i) {
      auto sample = pairs.sample(i);
      sequences.push_back(std::move(sample.sequences[0].tokens));
      sequences.push_back(std::move(sample.sequences[1].tokens));
    }
    const auto values = score_sequences(scorer, sequences);
    for (size_t i = 0; i < values.size(); i += 2) {
      scores.chosen.push_back(values[i]);
      scores.rejected.push_back(values[i + 1]);
    }
  }
  return scores;
}

RewardStatistics statistics_of(const PairScores& scores) {
  std::vector<double> all = scores.chosen;
  all.insert(all.end(), scores.rejected.begin(), scores.rejected.end());
  if (all.size() < 2) return {};
  const auto n = static_cast<double>(all.size());
  const double mean = std::accumulate(all.begin(), all.end(), 0.0) / n;
  double squares = 0;
  for (const double score : all) squares += (score - mean) * (score - mean);
  const double scale = std::sqrt(squares / n);
  // Equal scores everywhere: dividing by their spread would be dividing by noise.
  return {mean, scale > 1e-6 ? scale : 1.0};
}

}  // namespace plumb
