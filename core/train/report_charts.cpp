#include "core/train/report_charts.h"

#include <cmath>
#include <set>

namespace plumb {
namespace {

struct KnownSeries {
  const char* metric;
  const char* label;
};

struct KnownChart {
  const char* title;
  std::vector<KnownSeries> series;
};

// In reading order: did it learn, and at what price. Names are TRL's (DESIGN.md, conventions).
const std::vector<KnownChart>& known_charts() {
  static const std::vector<KnownChart> charts = {
      {"Reward", {{"objective/scores", "train"}, {"eval_objective/scores", "held out"}}},
      {"KL to the reference", {{"objective/kl", "train"}, {"eval_objective/kl", "held out"}}},
      {"Loss", {{"loss", "train"}, {"eval_loss", "held out"}}},
      {"Accuracy on pairs", {{"accuracy", "train"}, {"eval_accuracy", "held out"}}},
      {"Reward margin", {{"margin", "train"}, {"eval_margin", "held out"}}},
      {"Token accuracy",
       {{"mean_token_accuracy", "train"}, {"eval_mean_token_accuracy", "held out"}}},
      {"Value loss", {{"loss/value_avg", "value loss"}}},
      {"Entropy", {{"policy/entropy_avg", "policy"}}},
      {"Response length",
       {{"val/response_length", "train"}, {"eval_val/response_length", "held out"}}},
      {"Responses that end by themselves",
       {{"val/eos_fraction", "train"}, {"eval_val/eos_fraction", "held out"}}},
      {"Variance that the critic explains", {{"val/explained_var", "fraction"}}},
      {"Policy change in an iteration", {{"policy/approxkl_avg", "approximate KL"}}},
  };
  return charts;
}

// Counters and clocks say nothing as curves.
const std::set<std::string>& never_drawn() {
  static const std::set<std::string> names = {"epoch", "num_tokens", "episode"};
  return names;
}

}  // namespace

ChartSet charts_of(const RunData& run) {
  ChartSet set;
  std::set<std::string> drawn = never_drawn();
  for (const KnownChart& known : known_charts()) {
    Chart chart{known.title, "step", {}};
    for (const auto& [metric, label] : known.series) {
      const Series* series = find_series(run, metric);
      if (series == nullptr) continue;
      chart.series.push_back({label, series->x, series->y});
      drawn.insert(metric);
    }
    if (!chart.series.empty()) set.main.push_back(std::move(chart));
  }
  for (const Series& series : run.metrics) {
    if (drawn.contains(series.name)) continue;
    // A training metric and its held-out twin share a chart.
    if (series.name.starts_with("eval_") && find_series(run, series.name.substr(5))) continue;
    Chart chart{series.name, "step", {series}};
    if (const Series* twin = find_series(run, "eval_" + series.name)) {
      chart.series[0].name = "train";
      chart.series.push_back({"held out", twin->x, twin->y});
    }
    set.more.push_back(std::move(chart));
  }
  return set;
}

std::vector<Fact> facts_of(const RunData& run) {
  static const std::vector<KnownSeries> headlines = {
      {"objective/scores", "Reward"},
      {"objective/kl", "KL to reference"},
      {"loss", "Loss"},
      {"eval_loss", "Held-out loss"},
      {"eval_perplexity", "Held-out perplexity"},
      {"eval_accuracy", "Held-out pair accuracy"},
      {"eval_mean_token_accuracy", "Held-out token accuracy"},
  };
  std::vector<Fact> facts;
  for (const auto& [metric, label] : headlines) {
    const Series* series = find_series(run, metric);
    if (series == nullptr || series->y.empty()) continue;
    facts.push_back({label, series->y.front(), series->y.back()});
  }
  return facts;
}

}  // namespace plumb
