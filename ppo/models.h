// The roles of PPO as one base with adapters (DESIGN.md 3). Nothing here is owned.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <set>

#include "core/model/adapter.h"
#include "core/model/decoder.h"
#include "core/text/tokenizer.h"

namespace plumb {

struct PpoModels {
  const Decoder* decoder = nullptr;    // the base, frozen
  const Adapter* policy = nullptr;     // trained
  const Adapter* reference = nullptr;  // what the run started from; null: the base alone
  const Adapter* critic = nullptr;     // trained
  at::Tensor critic_head;              // (1, C) f32, trained
  const Tokenizer* tokenizer = nullptr;
  std::set<int32_t> eos_ids;
};

}  // namespace plumb
