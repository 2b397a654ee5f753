// What a new adapter looks like; torch-free.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/fields.h"

namespace plumb {

struct LoraOptions {
  int64_t rank = 16;
  double alpha = 32;
  double dropout = 0.0;
  std::vector<std::string> targets = {"all-linear"};
  bool rslora = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("rank", rank, "rank R of the update; 0 trains all weights instead", at_least(0));
    v("alpha", alpha, "the update counts alpha / rank times", above(0));
    v("dropout", dropout, "share of an adapter's inputs dropped in training", between(0, 0.99));
    v("targets", targets,
      "all-linear, or some of the model's linears as PEFT names them: q_proj, c_attn, ...");
    v("rslora", rslora, "count alpha / sqrt(rank) times (Kalajdzievski 2023, eq. 4)");
  }
};

}  // namespace plumb
