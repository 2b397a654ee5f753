#include <algorithm>
#include <cmath>
#include <limits>

#include "core/data/prepare.h"

namespace plumb {
namespace {

// splitmix64 (Steele, Lea & Flood 2014), one step of it for each of the numbers that go in.
std::uint64_t hash_step(std::uint64_t state, std::uint64_t value) {
  std::uint64_t x = (state ^ value) + 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace

Dataset::Dataset(std::shared_ptr<const Store> store, std::vector<std::int64_t> samples)
    : store_(std::move(store)), samples_(std::move(samples)) {}

std::vector<std::int64_t> Dataset::lengths(const std::vector<std::int64_t>& indices) const {
  std::vector<std::int64_t> out;
  out.reserve(indices.size());
  for (const std::int64_t index : indices) out.push_back(length(index));
  return out;
}

Split split_samples(const Store& store, double fraction, std::uint64_t seed) {
  const std::int64_t count = store.num_samples();
  std::vector<double> draws(static_cast<std::size_t>(count));
  std::int64_t window = 0;  // of a document; 0 for every other kind of sample
  for (std::int64_t i = 0; i < count; ++i) {
    window = i > 0 && store.row(i) == store.row(i - 1) ? window + 1 : 0;
    const std::uint64_t row =
        hash_step(hash_step(0, seed), static_cast<std::uint64_t>(store.row(i)));
    const std::uint64_t bits = hash_step(row, static_cast<std::uint64_t>(window)) >> 11;
    draws[static_cast<std::size_t>(i)] = static_cast<double>(bits) * 0x1.0p-53;
  }
  double threshold = fraction;
  if (fraction > 0.0 && count >= 2) {
    const auto [least, most] = std::minmax_element(draws.begin(), draws.end());
    if (*least >= fraction) threshold = std::nextafter(*least, 1.0);
    if (*most < fraction) threshold = *most;
  }
  Split split;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool is_held_out = draws[static_cast<std::size_t>(i)] < threshold;
    (is_held_out ? split.validation : split.train).push_back(i);
  }
  return split;
}

}  // namespace plumb
