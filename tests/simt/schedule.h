// The order in which blocks, warps and lanes run. A kernel whose result depends on it has a race,
// a float atomic or an order-dependent sum.
#pragma once
#include <cstdint>
#include <vector>

namespace plumb::simt {

enum class Order { forward, reverse, shuffled };

struct Schedule {
  Order order = Order::forward;
  uint64_t seed = 0;  // of a shuffled one
};
const char* schedule_name(const Schedule& schedule);

// A permutation of [0, count); `salt` makes another one of the same seed.
std::vector<uint32_t> permutation(const Schedule& schedule, uint64_t count, uint64_t salt);

}  // namespace plumb::simt
