// Export is believed only after what was written is opened again and says the same (issue of every
// ecosystem: empty adapters, lost heads, wrong ties).
#pragma once
#include <ATen/ATen.h>

#include <string>

#include "core/model/decoder.h"

namespace plumb {

// Logits of a fixed run of ids -> (T, V), and with a head the scores at each of them -> (T).
struct Probe {
  at::Tensor logits;
  at::Tensor scores;  // undefined without a head
};
Probe probe(const Decoder& decoder, const Adapter* adapter, const at::Tensor& score);

// Throws Error naming `folder` when any value differs by more than `tolerance` times the largest
// one.
void check_same(const Probe& wanted, const Probe& found, double tolerance,
                const std::string& folder);

}  // namespace plumb
