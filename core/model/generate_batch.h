// The sequences that are decoded at the same time. Free slots take waiting requests, prompts go
// into the cache, and then every sequence advances by one token a step until it leaves.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "core/model/decode_forward.h"
#include "core/model/generate.h"
#include "core/model/generate_stop.h"
#include "core/model/kv_cache.h"
#include "core/ops/sampling.h"

namespace plumb {

class GenerateBatch {
 public:
  // Requests have been checked. Completions are written into `completions`, one a request.
  GenerateBatch(const GenerateTask& task, const std::vector<GenerateRequest>& requests,
                std::vector<Completion>& completions);

  bool finished() const { return stopped_ || (active_.empty() && waiting_.empty()); }
  void admit();  // waiting requests into free slots
  void step();   // one token for every active sequence

 private:
  struct Sequence {
    std::size_t request = 0;
    int64_t slot = 0;
    int64_t limit = 0;            // ids generated at most
    int64_t prompt_length = 0;    // P, of start_of(request)
    std::vector<int32_t> tokens;  // that and generated
    std::vector<int32_t> seen;    // the distinct ones, where a repetition penalty asks for them
  };

  Sequence begin(std::size_t request, int64_t slot) const;
  // What the decoder reads before it generates: of a text-to-text model one token, as the prompt is
  // the encoder's.
  const std::vector<int32_t>& start_of(std::size_t request) const;
  std::span<const int32_t> to_cache(std::size_t request) const;
  void mark_seen(Sequence& sequence, int32_t id) const;
  bool admit_wave();
  int64_t shared_prefix(std::span<const int32_t> prompt, std::span<const int32_t> cached) const;
  int64_t reuse_prefix(const Sequence& sequence);
  void fill_prompts(std::size_t first);
  void fill_cache();
  DrawnToken draw(const Sequence& sequence, std::span<const float> logits) const;
  bool accept(Sequence& sequence, const DrawnToken& drawn);

  const GenerateTask& task_;
  const std::vector<GenerateRequest>& requests_;
  std::vector<Completion>& completions_;
  SamplingFilters filters_;
  StopStrings stop_;
  std::vector<int32_t> eos_ids_;
  std::vector<int32_t> decoder_start_;
  DecodeWeights own_weights_;  // f32, where the task brings none
  DecodeForward forward_;
  KvCache cache_;
  bool stopped_ = false;

  std::deque<std::size_t> waiting_;
  std::vector<Sequence> active_;
  std::vector<int64_t> free_slots_;
  // Tokens whose keys and values lie in each slot, also after its sequence has left: a prompt that
  // begins alike takes them over.
  std::vector<std::vector<int32_t>> cached_;
  DecodeStep step_;
  std::vector<DrawnToken> drawn_;
};

}  // namespace plumb
