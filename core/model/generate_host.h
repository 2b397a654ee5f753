// What GenerateBatch asks of who computes: the CPU's side. generate_device.h has the same
// functions.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/model/decode_forward.h"
#include "core/model/generate.h"
#include "core/model/kv_cache.h"
#include "core/ops/sampling.h"

namespace plumb {

SamplingFilters filters_of(const SamplingOptions& sampling);

// Throws the Error (Exit::non_finite) of logits that cannot be drawn from.
[[noreturn]] void fail_not_finite(uint64_t sample_id, int64_t position);

// The token that is drawn after a row of a step.
struct NextToken {
  uint64_t sample_id = 0;
  int64_t position = 0;     // in its sequence
  bool is_banning = false;  // EOS must not be drawn yet
};

class HostDecode {
 public:
  static constexpr int64_t kPromptRows = 256;  // prompt tokens that go through the layers together

  HostDecode(const GenerateTask& task, int64_t num_slots);

  // A sequence takes a slot; `start` is what its first tokens are, and what a repetition penalty
  // holds against.
  void begin(int64_t slot, std::span<const int32_t> start);
  // A text-to-text model's encoder reads the prompt.
  void read_source(std::span<const int32_t> tokens, int64_t slot) {
    forward_.read_source(tokens, slot);
  }

  void reserve(int64_t positions) { cache_.reserve(positions); }
  void copy(int64_t from_slot, int64_t to_slot, int64_t positions) {
    cache_.copy(from_slot, to_slot, positions);
  }

  void fill(const DecodeStep& step) { forward_.fill(step, cache_); }
  // One token after each row. `next` and `drawn` are as long as the step.
  void draw(const DecodeStep& step, std::span<const NextToken> next, std::span<DrawnToken> drawn);

 private:
  DrawnToken draw_row(std::span<const float> logits, int64_t slot, const NextToken& next) const;
  void mark_seen(int64_t slot, int32_t id);

  const GenerateTask& task_;
  SamplingFilters filters_;
  std::vector<int32_t> banned_;
  DecodeWeights own_weights_;  // f32, where the task brings none
  DecodeForward forward_;
  KvCache cache_;
  std::vector<std::vector<int32_t>> seen_;  // of each slot, each id once, for a repetition penalty
};

}  // namespace plumb
