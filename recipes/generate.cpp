// Completes prompts.
//   plumb generate MODEL --prompt "Once upon a time" --greedy
#include <chrono>
#include <iostream>

#include "core/error.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/prompts.h"

namespace plumb {
namespace {

const char* finish_name(Finish finish) {
  switch (finish) {
    case Finish::eos:
      return "eos";
    case Finish::stop_string:
      return "stop";
    case Finish::length:
      return "length";
  }
  return "";
}

Json completion_json(const Completion& completion, const Tokenizer& tokenizer) {
  return {{"text", tokenizer.decode(completion.ids)},
          {"ids", completion.ids},
          {"logprobs", completion.logprobs},
          {"finish", finish_name(completion.finish)}};
}

// What the completion adds to the prompt's text. A tokenizer of the SentencePiece kind drops a
// space at the start of what it decodes, so the two are decoded together.
std::string continuation(const Prompt& prompt, const Completion& completion,
                         const Tokenizer& tokenizer) {
  const std::string alone = tokenizer.decode(completion.ids);
  if (prompt.shown.empty()) return alone;
  std::vector<int32_t> ids = prompt.ids;
  ids.insert(ids.end(), completion.ids.begin(), completion.ids.end());
  const std::string before = tokenizer.decode(prompt.ids), whole = tokenizer.decode(ids);
  return whole.starts_with(before) ? whole.substr(before.size()) : alone;
}

void print(const std::vector<Prompt>& prompts, const std::vector<Completion>& completions,
           const Tokenizer& tokenizer, int64_t samples) {
  for (size_t i = 0; i < completions.size(); ++i) {
    const auto& prompt = prompts[i / static_cast<size_t>(samples)];
    if (completions.size() > 1) std::cout << (i ? "\n" : "") << "--- " << i + 1 << "\n";
    std::cout << prompt.shown << continuation(prompt, completions[i], tokenizer) << "\n";
  }
}

}  // namespace

void run_generate(const GenerateOptions& options) {
  choose_device(options.use.device, options.use.threads);
  const auto model = open_model(options.model, options.use.adapter);
  auto prompts = read_prompts(options, model);
  if (model.decoder->config.is_encoder_decoder) {  // its answer does not go on from the prompt
    for (Prompt& prompt : prompts) prompt.shown.clear();
  }
  const auto task = generate_task(options, model);

  std::vector<GenerateRequest> requests;
  for (const auto& prompt : prompts) {
    for (int64_t s = 0; s < options.samples; ++s) requests.push_back({prompt.ids, requests.size()});
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto completions = generate(task, requests);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (!options.use.json) return print(prompts, completions, model.tokenizer, options.samples);
  Json list = Json::array();
  for (const auto& completion : completions)
    list.push_back(completion_json(completion, model.tokenizer));
  std::cout << Json{{"completions", list}, {"seconds", seconds.count()}}.dump() << "\n";
}

}  // namespace plumb
