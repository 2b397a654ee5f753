// The sequences that are decoded at the same time. Free slots take waiting requests, prompts go
// into the cache, and then every sequence advances by one token a step until it leaves.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/model/generate.h"
#include "core/model/generate_device.h"
#include "core/model/generate_host.h"
#include "core/model/generate_stop.h"

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
  };

  // work(on): who computes, on the host or on a device.
  template <class Work>
  void compute(const Work& work) {
    device_ ? work(*device_) : work(*host_);
  }

  Sequence begin(std::size_t request, int64_t slot);
  int64_t most_new_tokens(int64_t prompt_length) const;
  int64_t most_positions() const;
  // What the decoder reads before it generates: of a text-to-text model one token, as the prompt is
  // the encoder's.
  const std::vector<int32_t>& start_of(std::size_t request) const;
  std::span<const int32_t> to_cache(std::size_t request) const;
  bool admit_wave();
  int64_t shared_prefix(std::span<const int32_t> prompt, std::span<const int32_t> cached) const;
  int64_t reuse_prefix(const Sequence& sequence);
  void fill_prompts(std::size_t first);
  void fill_cache();
  NextToken next_token(const Sequence& sequence) const;
  bool accept(Sequence& sequence, const DrawnToken& drawn);

  const GenerateTask& task_;
  const std::vector<GenerateRequest>& requests_;
  std::vector<Completion>& completions_;
  StopStrings stop_;
  std::vector<int32_t> decoder_start_;
  std::optional<HostDecode> host_;  // one of the two
  std::optional<DeviceDecode> device_;
  bool stopped_ = false;

  std::deque<std::size_t> waiting_;
  std::vector<Sequence> active_;
  std::vector<int64_t> free_slots_;
  // Tokens whose keys and values lie in each slot, also after its sequence has left: a prompt that
  // begins alike takes them over.
  std::vector<std::vector<int32_t>> cached_;
  DecodeStep step_;
  std::vector<NextToken> next_;
  std::vector<DrawnToken> drawn_;
};

}  // namespace plumb
