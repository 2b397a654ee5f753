// Completions of the same prompts before and after training: what a reader judges a run by.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/data/prepare.h"
#include "core/model/generate.h"
#include "core/train/run_log.h"
#include "recipes/sample_options.h"

namespace plumb {

// How a model is asked for samples: its own EOS ids, one completion a prompt.
GenerateTask sample_task(const Decoder& decoder, const Adapter* adapter,
                         const std::set<int32_t>& eos_ids, uint64_t seed);

class SampleTable {
 public:
  // Prompts as the options give them, else the beginnings of held-out samples (of training samples
  // when nothing is held out): conversations up to their first answer, documents' first words.
  SampleTable(const SampleTableOptions& options, const PreparedData& data,
              const Tokenizer& tokenizer);

  // Completes every prompt and writes a row each to samples.jsonl.
  void record(RunLog& log, int64_t step, const GenerateTask& model) const;

 private:
  SampleTableOptions options_;
  const Tokenizer& tokenizer_;
  std::vector<std::vector<int32_t>> prompts_;
};

}  // namespace plumb
