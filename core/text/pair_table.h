// (id, id) -> a pair of numbers, in one flat table: merge rules of BPE, edges of a trie.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace plumb::text {

struct PairValue {
  std::int32_t first = -1;  // negative: there is none
  std::int32_t second = -1;
};

class PairTable {
 public:
  void reserve(std::size_t count);
  void set(std::int32_t left, std::int32_t right, PairValue value);  // a later one replaces

  PairValue find(std::int32_t left, std::int32_t right) const {
    return entries_[slot_of(key_of(left, right))].value;
  }

 private:
  struct Entry {
    std::uint64_t key = kEmpty;
    PairValue value;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t key) const {
    const std::size_t mask = entries_.size() - 1;
    std::uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;
    mixed ^= mixed >> 32;
    std::size_t slot = mixed & mask;
    while (entries_[slot].key != kEmpty && entries_[slot].key != key) slot = (slot + 1) & mask;
    return slot;
  }

  std::vector<Entry> entries_ = std::vector<Entry>(16);
  std::size_t count_ = 0;
};

}  // namespace plumb::text
