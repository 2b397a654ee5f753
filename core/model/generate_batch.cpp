#include "core/model/generate_batch.h"

#include <algorithm>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/ops/backend.h"

namespace plumb {
namespace {

// A request waits for another's prompt to be in the cache if that saves this many tokens.
constexpr int64_t kWorthWaiting = 16;

int64_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const std::size_t length = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + length, b.begin()).first - a.begin();
}

int64_t slots_for(const GenerateTask& task, std::size_t requests) {
  return std::min<int64_t>(task.max_batch, static_cast<int64_t>(requests));
}

}  // namespace

GenerateBatch::GenerateBatch(const GenerateTask& task, const std::vector<GenerateRequest>& requests,
                             std::vector<Completion>& completions)
    : task_(task),
      requests_(requests),
      completions_(completions),
      stop_(task.sampling.stop, task.tokenizer),
      decoder_start_{task.decoder->config.decoder_start_token_id},
      cached_(slots_for(task, requests.size())) {
  if (kernels_for(task.decoder->weights.lm_head) != nullptr) {
    device_.emplace(task, std::ssize(cached_), most_positions());
  } else {
    host_.emplace(task, std::ssize(cached_));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    waiting_.push_back(i);
  }
  for (int64_t slot = std::ssize(cached_) - 1; slot >= 0; --slot) {
    free_slots_.push_back(slot);
  }
}

const std::vector<int32_t>& GenerateBatch::start_of(std::size_t request) const {
  return task_.decoder->config.is_encoder_decoder ? decoder_start_ : requests_[request].prompt;
}

// Of any sequence.
int64_t GenerateBatch::most_positions() const {
  int64_t most = 1;
  for (std::size_t request = 0; request < requests_.size(); ++request) {
    const int64_t length = std::ssize(start_of(request));
    most = std::max(most, length + most_new_tokens(length));
  }
  return most;
}

int64_t GenerateBatch::most_new_tokens(int64_t prompt_length) const {
  return std::min(task_.sampling.max_new_tokens,
                  position_limit(task_.decoder->config) - prompt_length);
}

// All but the last token of the start go into the cache; that one is the first step's input.
std::span<const int32_t> GenerateBatch::to_cache(std::size_t request) const {
  const std::vector<int32_t>& start = start_of(request);
  return std::span(start).first(start.size() - 1);
}

GenerateBatch::Sequence GenerateBatch::begin(std::size_t request, int64_t slot) {
  const std::vector<int32_t>& prompt = start_of(request);
  const int64_t length = std::ssize(prompt);
  compute([&](auto& on) { on.begin(slot, prompt); });
  return {.request = request,
          .slot = slot,
          .limit = most_new_tokens(length),
          .prompt_length = length,
          .tokens = prompt};
}

void GenerateBatch::admit() {
  while (!waiting_.empty() && !free_slots_.empty() && admit_wave()) {
  }
}

// Tokens at the beginning of a prompt whose keys and values are those of `cached`. Keys turned by
// the length of their sequence are no other sequence's.
int64_t GenerateBatch::shared_prefix(std::span<const int32_t> prompt,
                                     std::span<const int32_t> cached) const {
  return rotates_by_length(task_.decoder->config) ? 0 : common_prefix(prompt, cached);
}

// Copies the longest beginning of the prompt that lies in some slot; returns its length.
int64_t GenerateBatch::reuse_prefix(const Sequence& sequence) {
  const std::span<const int32_t> prompt = to_cache(sequence.request);
  int64_t best = 0, source = sequence.slot;
  for (int64_t slot = 0; slot < std::ssize(cached_); ++slot) {
    const int64_t length = shared_prefix(prompt, cached_[slot]);
    if (length > best || (length == best && slot == sequence.slot)) {
      best = length;
      source = slot;
    }
  }
  compute([&](auto& on) {
    on.reserve(std::ssize(prompt) + 1);
    if (source != sequence.slot) {
      on.copy(source, sequence.slot, best);
    }
  });
  cached_[sequence.slot].assign(prompt.begin(), prompt.begin() + best);
  return best;
}

// A request whose prompt begins like that of another one of this wave leaves its slot free for the
// next wave, when it can copy. False when no slot was filled.
bool GenerateBatch::admit_wave() {
  const std::size_t first = active_.size();
  std::deque<std::size_t> later;
  while (!waiting_.empty() && later.size() < free_slots_.size()) {
    const std::size_t request = waiting_.front();
    waiting_.pop_front();
    const std::span<const int32_t> prompt = to_cache(request);
    int64_t soon = 0, now = 0;
    for (std::size_t i = first; i < active_.size(); ++i) {
      soon = std::max(soon, shared_prefix(prompt, to_cache(active_[i].request)));
    }
    for (const std::vector<int32_t>& cached : cached_) {
      now = std::max(now, shared_prefix(prompt, cached));
    }
    if (soon - now >= kWorthWaiting) {
      later.push_back(request);
      continue;
    }
    active_.push_back(begin(request, free_slots_.back()));
    free_slots_.pop_back();
    reuse_prefix(active_.back());
  }
  waiting_.insert(waiting_.begin(), later.begin(), later.end());
  fill_prompts(first);
  return active_.size() > first;
}

// What is still missing of the prompts of active_[first...], in pieces.
void GenerateBatch::fill_prompts(std::size_t first) {
  const int64_t piece = device_ ? DeviceDecode::kPromptRows : HostDecode::kPromptRows;
  step_.clear();
  for (std::size_t i = first; i < active_.size(); ++i) {
    const int64_t slot = active_[i].slot;
    if (task_.decoder->config.is_encoder_decoder) {
      const std::vector<int32_t>& source = requests_[active_[i].request].prompt;
      compute([&](auto& on) { on.read_source(source, slot); });
    }
    const std::span<const int32_t> prompt = to_cache(active_[i].request);
    for (int64_t position = std::ssize(cached_[slot]); position < std::ssize(prompt); ++position) {
      step_.add(prompt[position], {slot, position}, active_[i].prompt_length);
      if (step_.size() == piece) {
        fill_cache();
      }
    }
    cached_[slot].assign(prompt.begin(), prompt.end());
  }
  fill_cache();
}

void GenerateBatch::fill_cache() {
  if (step_.size() > 0) {
    compute([&](auto& on) { on.fill(step_); });
  }
  step_.clear();
}

NextToken GenerateBatch::next_token(const Sequence& sequence) const {
  const int64_t position = std::ssize(sequence.tokens);
  return {.sample_id = requests_[sequence.request].sample_id,
          .position = position,
          .is_banning = position - sequence.prompt_length < task_.sampling.min_new_tokens};
}

// Adds a token; false when the sequence ends with it.
bool GenerateBatch::accept(Sequence& sequence, const DrawnToken& drawn) {
  Completion& completion = completions_[sequence.request];
  completion.ids.push_back(drawn.id);
  completion.logprobs.push_back(drawn.logprob);
  sequence.tokens.push_back(drawn.id);
  if (task_.on_token && !task_.on_token(sequence.request, drawn.id)) {
    stopped_ = true;
  }
  if (task_.eos_ids.contains(drawn.id)) {
    completion.finish = Finish::eos;
    return false;
  }
  if (stop_.found(completion.ids)) {
    completion.finish = Finish::stop_string;
    return false;
  }
  return std::ssize(completion.ids) < sequence.limit;
}

void GenerateBatch::step() {
  step_.clear();
  next_.clear();
  int64_t longest = 0;
  for (const Sequence& sequence : active_) {
    const int64_t length = std::ssize(sequence.tokens);
    step_.add(sequence.tokens.back(), {sequence.slot, length - 1}, length);
    next_.push_back(next_token(sequence));
    cached_[sequence.slot].push_back(sequence.tokens.back());
    longest = std::max(longest, length);
  }
  drawn_.resize(active_.size());
  compute([&](auto& on) {
    on.reserve(longest);
    on.draw(step_, next_, drawn_);
  });
  std::size_t stay = 0;
  for (std::size_t i = 0; i < active_.size() && !stopped_; ++i) {
    if (!accept(active_[i], drawn_[i])) {
      free_slots_.push_back(active_[i].slot);
    } else {
      std::swap(active_[stay++], active_[i]);
    }
  }
  active_.resize(stay);
}

}  // namespace plumb
