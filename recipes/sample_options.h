// torch-free; see sample_table.h.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/fields.h"

namespace plumb {

struct SampleTableOptions {
  int64_t count = 6;
  int64_t max_new_tokens = 64;
  double temperature = 0.0;
  std::vector<std::string> prompts;

  template <class Visitor>
  void fields(Visitor& v) {
    v("count", count, "prompts whose completions are kept from before and after training; 0: none",
      at_least(0));
    v("max_new_tokens", max_new_tokens, "tokens of a completion at most", at_least(1));
    v("temperature", temperature, "0: greedy", at_least(0));
    v("prompts", prompts, "texts to complete; empty: beginnings of held-out samples");
  }
};

}  // namespace plumb
