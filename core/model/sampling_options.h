// How tokens are drawn; torch-free, so that recipes and help can list it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/fields.h"

namespace plumb {

// Order of the filters as in transformers: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  double temperature = 1.0;
  int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  int64_t max_new_tokens = 128;
  int64_t min_new_tokens = 0;
  std::vector<std::string> stop;

  template <class Visitor>
  void fields(Visitor& v) {
    v("temperature", temperature, "divides the logits; 0 is greedy", at_least(0));
    v("top_k", top_k, "keep the k most likely tokens; 0 keeps all", at_least(0));
    v("top_p", top_p, "keep the smallest set of tokens with this probability", between(0, 1));
    v("min_p", min_p, "drop tokens less likely than this times the likeliest", between(0, 1));
    v("repetition_penalty", repetition_penalty, "over 1 makes tokens already seen less likely",
      above(0));
    v("max_new_tokens", max_new_tokens, "tokens generated at most", at_least(1));
    v("min_new_tokens", min_new_tokens, "no EOS before this many tokens", at_least(0));
    v("stop", stop, "strings that end a completion");
  }
};

}  // namespace plumb
