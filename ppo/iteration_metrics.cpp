#include "ppo/iteration_metrics.h"

#include <algorithm>
#include <cmath>

#include "ppo/advantage.h"
#include "ppo/response_stats.h"

namespace plumb {

namespace {

double sum_f64(const at::Tensor& values) {
  return values.sum(at::kDouble).item<double>();
}

double mean_f64(const at::Tensor& values) {
  return values.mean(at::kDouble).item<double>();
}

double num_responses(const Trajectory& all) {
  return static_cast<double>(all.num_responses());
}

double eos_count(const Trajectory& all) {
  return static_cast<double>(std::count(all.ended.begin(), all.ended.end(), 1));
}

double mean_over_minibatches(const UpdateResult& updates, double MinibatchMeans::*member) {
  double sum = 0;
  for (const MinibatchMeans& means : updates.minibatches) sum += means.*member;
  return sum / static_cast<double>(updates.minibatches.size());
}

// Of the mean ratios of the minibatches, unbiased, as TRL; 0 for a single one.
double ratio_variance(const UpdateResult& updates) {
  Moments moments;
  for (const MinibatchMeans& means : updates.minibatches) {
    // Around 1, where ratios lie, so that the sum of squares keeps its digits.
    const double x = means.ratio - 1.0;
    moments = moments + Moments{1, x, x * x};
  }
  return moments.variance();
}

// 1 - Var(R - V) / Var(R): 1 for a perfect critic, 0 for a constant one.
double explained_variance(const Trajectory& all) {
  const double total = moments(all.returns).variance();
  return total > 0 ? 1.0 - moments(all.returns - all.values).variance() / total : 0.0;
}

void add_objective(const IterationReport& report, Metrics& metrics) {
  const Trajectory& all = report.all;
  const double non_score = -report.kl_coef * sum_f64(all.kl) / num_responses(all);
  metrics.emplace_back("objective/kl", objective_kl(all));
  metrics.emplace_back("objective/entropy", -sum_f64(all.logprobs) / num_responses(all));
  metrics.emplace_back("objective/non_score_reward", non_score);
  metrics.emplace_back("objective/rlhf_reward", non_score + mean_f64(all.scores));
  metrics.emplace_back("objective/scores", mean_f64(all.raw_scores));
  metrics.emplace_back("objective/scores_std", std::sqrt(moments(all.raw_scores).variance()));
  metrics.emplace_back("objective/kl_coef", report.kl_coef);
}

void add_updates(const UpdateResult& updates, Metrics& metrics) {
  const auto mean = [&](double MinibatchMeans::*member) {
    return mean_over_minibatches(updates, member);
  };
  metrics.emplace_back("policy/approxkl_avg", mean(&MinibatchMeans::approxkl));
  metrics.emplace_back("policy/clipfrac_avg", mean(&MinibatchMeans::clipfrac));
  metrics.emplace_back("policy/entropy_avg", mean(&MinibatchMeans::entropy));
  metrics.emplace_back("policy/approxkl_first", updates.minibatches.front().approxkl);
  metrics.emplace_back("policy/grad_norm", mean(&MinibatchMeans::policy_grad_norm));
  metrics.emplace_back("loss/policy_avg", mean(&MinibatchMeans::policy_loss));
  metrics.emplace_back("loss/value_avg", mean(&MinibatchMeans::value_loss));
  metrics.emplace_back("val/clipfrac_avg", mean(&MinibatchMeans::value_clipfrac));
  metrics.emplace_back("val/grad_norm", mean(&MinibatchMeans::critic_grad_norm));
  metrics.emplace_back("val/ratio", mean(&MinibatchMeans::ratio));
  metrics.emplace_back("val/ratio_var", ratio_variance(updates));
  metrics.emplace_back("val/ratio_first", updates.minibatches.front().ratio);
  metrics.emplace_back("updates", static_cast<double>(updates.minibatches.size()) -
                                      (updates.stopped_by_kl ? 1.0 : 0.0));
}

// The sampler's log-probabilities against the training forward's (DESIGN.md 4).
void add_sampling_gap(const Trajectory& all, Metrics& metrics) {
  const at::Tensor gap = (all.logprobs - all.sampler_logprobs).to(at::kDouble);
  metrics.emplace_back("sampling/logprob_gap_max", gap.abs().max().item<double>());
  metrics.emplace_back("sampling/kl", mean_f64(gap.expm1() - gap));
}

void add_completions(const Trajectory& all, Metrics& metrics) {
  TokenSpans responses;
  for (int64_t b = 0; b < all.num_responses(); ++b) responses.push_back(all.response(b));
  metrics.emplace_back("val/num_eos_tokens", eos_count(all));
  metrics.emplace_back("val/eos_fraction", eos_count(all) / num_responses(all));
  metrics.emplace_back("val/response_length",
                       static_cast<double>(all.num_tokens()) / num_responses(all));
  metrics.emplace_back("completions/repetition_4", repetition(responses, 4));
  metrics.emplace_back("completions/distinct_2", distinct(responses, 2));
}

void add_speed(const IterationReport& report, Metrics& metrics) {
  double sequence_tokens = 0;
  for (const auto& sequence : report.all.sequences) {
    sequence_tokens += static_cast<double>(sequence.size());
  }
  const auto rate = [](double tokens, double seconds) { return tokens / std::max(seconds, 1e-9); };
  const PhaseTimes& seconds = report.seconds;
  const double all = seconds.rollout + seconds.score + seconds.update;
  const auto response_tokens = static_cast<double>(report.all.num_tokens());
  metrics.emplace_back("perf/rollout_tokens_per_second", rate(response_tokens, seconds.rollout));
  metrics.emplace_back("perf/score_tokens_per_second", rate(sequence_tokens, seconds.score));
  metrics.emplace_back("perf/update_tokens_per_second", rate(sequence_tokens, seconds.update));
  metrics.emplace_back("perf/rollout_seconds", seconds.rollout);
  metrics.emplace_back("perf/score_seconds", seconds.score);
  metrics.emplace_back("perf/update_seconds", seconds.update);
  metrics.emplace_back("perf/iteration_seconds", all);
  metrics.emplace_back("eps", num_responses(report.all) / std::max(all, 1e-9));
}

}  // namespace

double objective_kl(const Trajectory& all) {
  return sum_f64(kl_estimate(all.logprobs, all.ref_logprobs, KlEstimator::k1)) / num_responses(all);
}

Metrics iteration_metrics(const IterationReport& report) {
  Metrics metrics;
  add_objective(report, metrics);
  add_updates(report.updates, metrics);
  metrics.emplace_back("val/explained_var", explained_variance(report.all));
  add_completions(report.all, metrics);
  add_sampling_gap(report.all, metrics);
  metrics.emplace_back("lr", report.policy_lr);
  metrics.emplace_back("lr_critic", report.critic_lr);
  metrics.emplace_back("episode", static_cast<double>(report.episode));
  add_speed(report, metrics);
  return metrics;
}

Metrics rollout_metrics(const Trajectory& all, const std::string& prefix) {
  return {
      {prefix + "objective/scores", mean_f64(all.raw_scores)},
      {prefix + "objective/kl", objective_kl(all)},
      {prefix + "val/response_length", static_cast<double>(all.num_tokens()) / num_responses(all)},
      {prefix + "val/eos_fraction", eos_count(all) / num_responses(all)},
  };
}

}  // namespace plumb
