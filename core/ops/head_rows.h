// What a head does with the logits of one token, in one sweep each way (kernels.md 1.7).
// Raw loops shared by token_stats and token_loss.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/ops/vector_exp.h"

namespace plumb {

// Logits come capped (cap_row). m = max logit; z = (logit - m) / temperature; s = sum exp(z).
// m and log s are kept apart: at logits of 3e4 their f32 sum would be off by 2e-3.
template <class T>
struct HeadRow {
  T logprob;  // z_target - log s
  T entropy;  // log s - sum z exp(z) / s
  T peak;     // m
  T log_sum;  // log s
};

template <class T>
HeadRow<T> head_row(const T* logits, int64_t vocab, int64_t target, T inverse_temperature) {
  T peak = logits[0];
#pragma omp simd reduction(max : peak)
  for (int64_t j = 0; j < vocab; ++j) {
    peak = logits[j] > peak ? logits[j] : peak;
  }
  T sum = 0, weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
  for (int64_t j = 0; j < vocab; ++j) {
    const T z = (logits[j] - peak) * inverse_temperature;
    const T e = vector_exp(z);
    sum += e;
    weighted += z * e;
  }
  const T log_sum = std::log(sum);
  return {(logits[target] - peak) * inverse_temperature - log_sum, log_sum - weighted / sum, peak,
          log_sum};
}

// What comes between x W^T and the loss.
template <class T>
struct HeadScale {
  T inverse_temperature;
  T inverse_cap;  // 0: no cap
};

// logits become d loss / d (x W^T):
// d logp_t / dz_j = [j = t] - p_j,   dH / dz_j = -p_j (log p_j + H),   dz / dlogit = 1 /
// temperature, d (c tanh(y / c)) / dy = 1 - (logit / c)^2.
template <class T>
void head_row_gradient(T* logits, int64_t vocab, int64_t target, HeadScale<T> scale, HeadRow<T> row,
                       T grad_logprob, T grad_entropy) {
  const auto slope = [scale](T logit) {
    const T bent = logit * scale.inverse_cap;
    return scale.inverse_temperature * (T{1} - bent * bent);
  };
  const T of_target = grad_logprob * slope(logits[target]);
#pragma omp simd
  for (int64_t j = 0; j < vocab; ++j) {
    const T log_p = (logits[j] - row.peak) * scale.inverse_temperature - row.log_sum;
    const T p = vector_exp(log_p);
    logits[j] = -p * (grad_logprob + grad_entropy * (log_p + row.entropy)) * slope(logits[j]);
  }
  logits[target] += of_target;
}

template <class T>
void cap_row(T* logits, int64_t vocab, T cap) {
#pragma omp simd
  for (int64_t j = 0; j < vocab; ++j) {
    logits[j] = cap * vector_tanh(logits[j] / cap);
  }
}

}  // namespace plumb
