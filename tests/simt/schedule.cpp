#include "tests/simt/schedule.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace plumb::simt {

const char* schedule_name(const Schedule& schedule) {
  switch (schedule.order) {
    case Order::forward:
      return "forward";
    case Order::reverse:
      return "reverse";
    case Order::shuffled:
      return "shuffled";
  }
  return "?";
}

std::vector<uint32_t> permutation(const Schedule& schedule, uint64_t count, uint64_t salt) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (schedule.order == Order::reverse) {
    std::reverse(order.begin(), order.end());
  } else if (schedule.order == Order::shuffled) {
    std::mt19937_64 random(schedule.seed * 0x9E3779B97F4A7C15u + salt);
    std::shuffle(order.begin(), order.end(), random);
  }
  return order;
}

}  // namespace plumb::simt
