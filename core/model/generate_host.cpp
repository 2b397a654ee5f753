#include "core/model/generate_host.h"

#include <algorithm>

#include "core/error.h"
#include "core/ops/philox.h"
#include "core/ops/spin_pool.h"

namespace plumb {
namespace {

constexpr int64_t kDrawWork = 16;  // multiply-adds that a probability costs

KvShape cache_shape(const ModelConfig& config, int64_t slots) {
  return {config.num_hidden_layers, config.num_key_value_heads, config.head_dim, slots};
}

}  // namespace

SamplingFilters filters_of(const SamplingOptions& sampling) {
  return {.temperature = sampling.temperature,
          .top_k = sampling.top_k,
          .top_p = sampling.top_p,
          .min_p = sampling.min_p,
          .repetition_penalty = sampling.repetition_penalty};
}

void fail_not_finite(uint64_t sample_id, int64_t position) {
  throw Error("sample " + std::to_string(sample_id) + ", position " + std::to_string(position) +
                  ": the model's logits are not finite; the weights or the adapter are broken "
                  "(plumb info names tensors with such values)",
              Exit::non_finite);
}

HostDecode::HostDecode(const GenerateTask& task, int64_t num_slots)
    : task_(task),
      filters_(filters_of(task.sampling)),
      banned_(task.eos_ids.begin(), task.eos_ids.end()),
      forward_(*task.decoder, task.weights ? *task.weights : own_weights_, task.adapter,
               std::max(kPromptRows, num_slots), num_slots),
      cache_(cache_shape(task.decoder->config, num_slots)),
      seen_(num_slots) {}

void HostDecode::begin(int64_t slot, std::span<const int32_t> start) {
  seen_[slot].clear();
  for (const int32_t id : start) {
    mark_seen(slot, id);
  }
}

void HostDecode::mark_seen(int64_t slot, int32_t id) {
  std::vector<int32_t>& seen = seen_[slot];
  if (filters_.repetition_penalty != 1.0 && std::find(seen.begin(), seen.end(), id) == seen.end()) {
    seen.push_back(id);
  }
}

DrawnToken HostDecode::draw_row(std::span<const float> logits, int64_t slot,
                                const NextToken& next) const {
  if (!all_finite(logits)) {
    fail_not_finite(next.sample_id, next.position);
  }
  const SamplingRow row{
      .logits = logits,
      .seen = seen_[slot],
      .banned = next.is_banning ? std::span<const int32_t>(banned_) : std::span<const int32_t>(),
      .uniform = random_uniform(task_.seed, Stream::sampling, next.sample_id, next.position)};
  thread_local SamplingScratch scratch;
  return draw_token(filters_, row, scratch);
}

void HostDecode::draw(const DecodeStep& step, std::span<const NextToken> next,
                      std::span<DrawnToken> drawn) {
  forward_.run(step, cache_);
  const std::span<const float> logits = forward_.logits();
  const int64_t vocab = task_.decoder->config.vocab_size;
  spin_rows(step.size(), kDrawWork * vocab, [&](int64_t i) {
    drawn[i] = draw_row(logits.subspan(i * vocab, vocab), step.rows[i].slot, next[i]);
  });
  for (int64_t i = 0; i < step.size(); ++i) {
    mark_seen(step.rows[i].slot, drawn[i].id);
  }
}

}  // namespace plumb
