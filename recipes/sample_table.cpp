#include "recipes/sample_table.h"
#include "core/io/position_limit.h"
#include "core/profile/span.h"

#include <algorithm>

namespace plumb {
namespace {

constexpr int64_t kDocumentPrompt = 8;  // tokens of a document that are given

// A conversation up to its first trained token; the first words of a document.
std::vector<int32_t> beginning(const Sequence& sequence) {
  int64_t end = std::min<int64_t>(kDocumentPrompt, static_cast<int64_t>(sequence.tokens.size()));
  for (const Span& span : sequence.spans) {
    if (span.is_trained && span.begin > 0) {
      end = span.begin;
      break;
    }
  }
  return {sequence.tokens.begin(), sequence.tokens.begin() + end};
}

}  // namespace

GenerateTask sample_task(const Decoder& decoder, const Adapter* adapter,
                         const std::set<int32_t>& eos_ids, uint64_t seed) {
  GenerateTask task;
  task.decoder = &decoder;
  task.adapter = adapter;
  task.eos_ids = eos_ids;
  task.seed = seed;
  return task;
}

SampleTable::SampleTable(const SampleTableOptions& options, const PreparedData& data,
                         const Tokenizer& tokenizer)
    : options_(options), tokenizer_(tokenizer) {
  for (const auto& prompt : options.prompts) prompts_.push_back(tokenizer.encode(prompt));
  if (!options.prompts.empty()) return;
  const Dataset& source = data.validation ? *data.validation : data.train;
  for (int64_t i = 0; i < std::min(options.count, source.size()); ++i) {
    prompts_.push_back(beginning(source.sample(i).sequences[0]));
  }
}

void SampleTable::record(RunLog& log, int64_t step, const GenerateTask& model) const {
  if (prompts_.empty()) return;
  const profile::Span span("samples");
  GenerateTask task = model;
  task.tokenizer = &tokenizer_;
  task.sampling.temperature = options_.temperature;
  std::vector<GenerateRequest> requests;
  int64_t longest = 0;
  for (const auto& prompt : prompts_) {
    requests.push_back({prompt, requests.size()});
    longest = std::max(longest, static_cast<int64_t>(prompt.size()));
  }
  const int64_t room = position_limit(task.decoder->config) - longest;
  task.sampling.max_new_tokens =
      std::clamp<int64_t>(options_.max_new_tokens, 1, std::max<int64_t>(1, room));
  const auto completions = generate(task, requests);
  for (size_t i = 0; i < completions.size(); ++i) {
    log.sample({{"step", step},
                {"prompt", tokenizer_.decode(prompts_[i])},
                {"completion", tokenizer_.decode(completions[i].ids)}});
  }
}

}  // namespace plumb
