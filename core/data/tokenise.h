// The pass over the source files: rows are read by one thread, tokenised by all, and handed on in
// their order.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/data/prepare.h"

namespace plumb {

// What the pass over one set of files needs; `max_length` is the one that holds (0: none).
struct TokenisePlan {
  const DataOptions* options = nullptr;
  const std::vector<std::string>* paths = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const DataRequest* request = nullptr;
  std::int64_t max_length = 0;
};

// Gives every sample to `add` and returns what became of the rows. Throws Error on a bad row
// (unless skip_bad), on rows without labels (unless dropped), and when no sample is left.
Accounting tokenise(const TokenisePlan& plan, const AddSample& add);

}  // namespace plumb
