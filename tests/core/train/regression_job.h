// A tiny regression that the loop can train: y = x W^T + b on rows made from their number.
#pragma once
#include <ATen/ATen.h>

#include <cmath>

#include "core/train/loop.h"

namespace plumb {

struct Regression {
  int64_t batch = 8;        // samples an update
  int64_t micro_batch = 8;  // samples a forward pass
  int64_t rank = 0, ranks = 1;
  int64_t poisoned = -1;         // the sample whose target is NaN
  bool poison_gradient = false;  // sqrt at 0: finite loss, infinite gradient
  at::Tensor weight = at::full({2, 3}, 0.1), bias = at::zeros({2});

  std::vector<NamedTensor> parameters() const { return {{"weight", weight}, {"bias", bias}}; }

  // Sample i stands for 1 + i % 3 rows, so that micro-batches have different weights.
  static at::Tensor inputs(int64_t sample) {
    const auto rows = 1 + sample % 3;
    return at::sin(at::arange(rows * 3, at::kFloat) * 0.7 + static_cast<double>(sample))
        .reshape({rows, 3});
  }

  LossSum loss(const std::vector<int64_t>& samples) const {
    at::Tensor total = at::zeros({});
    double rows = 0;
    for (const int64_t sample : samples) {
      const at::Tensor x = inputs(sample);
      at::Tensor target = at::stack({x.sum(1), x.prod(1)}, 1);
      if (sample == poisoned && !poison_gradient) target = target / 0.0 * 0.0;
      total = total + (at::linear(x, weight, bias) - target).square().sum();
      if (sample == poisoned && poison_gradient) total = total + at::sqrt(weight.sum() * 0.0);
      rows += static_cast<double>(x.size(0));
    }
    return {total, {rows}};
  }

  MicroBatch micro(std::vector<int64_t> samples) const {
    MicroBatch result;
    for (const int64_t sample : samples) result.num_tokens += 1 + sample % 3;
    result.weight = static_cast<double>(result.num_tokens);
    result.sample_ids = samples;
    result.loss = [this, samples] { return loss(samples); };
    return result;
  }

  SupervisedJob job(int64_t steps) const {
    SupervisedJob job;
    job.name = "regression";
    job.metrics = {"rows_a_row"};  // always 1: sums are divided by the weight
    job.total_steps = steps;
    job.samples_per_epoch = 4 * batch;
    job.micro_batches = [this](int64_t step) {
      std::vector<MicroBatch> micros;
      const int64_t share = batch / ranks, begin = step * batch + rank * share;
      for (int64_t first = begin; first < begin + share; first += micro_batch) {
        std::vector<int64_t> samples;
        for (int64_t s = first; s < std::min(first + micro_batch, begin + share); ++s) {
          samples.push_back(s);
        }
        micros.push_back(micro(samples));
      }
      return micros;
    };
    job.evaluation = [this] { return std::vector<MicroBatch>{micro({1000, 1001, 1002})}; };
    job.derive = [](const std::string& prefix, Metrics& metrics) {
      metrics.emplace_back(prefix + "root", std::sqrt(metrics[0].second));
    };
    return job;
  }
};

}  // namespace plumb
