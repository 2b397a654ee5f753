#include "core/text/pair_table.h"

#include <utility>

namespace plumb::text {

void PairTable::reserve(std::size_t count) {
  std::size_t capacity = entries_.size();
  while (capacity < 2 * count) capacity *= 2;
  if (capacity == entries_.size()) return;
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(capacity));
  for (const Entry& entry : old) {
    if (entry.key != kEmpty) entries_[slot_of(entry.key)] = entry;
  }
}

void PairTable::set(std::int32_t left, std::int32_t right, PairValue value) {
  reserve(count_ + 1);
  Entry& entry = entries_[slot_of(key_of(left, right))];
  if (entry.key == kEmpty) ++count_;
  entry = {key_of(left, right), value};
}

}  // namespace plumb::text
