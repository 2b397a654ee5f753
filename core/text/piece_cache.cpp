#include "core/text/piece_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace plumb::text {

namespace {

constexpr std::size_t kWays = 8;  // places that a piece may have
// All are forgotten when they take more than this.
constexpr std::size_t kMaxBytes = 1 << 21;
constexpr std::size_t kMaxIds = 1 << 20;

// Eight bytes at a time: multiply and fold. Whoever makes words that collide only pushes them out
// of the cache (kWays).
std::uint64_t hash_of(std::uint64_t owner, std::string_view piece) {
  constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = owner * kPrime ^ piece.size();
  while (!piece.empty()) {
    std::uint64_t word = 0;
    const std::size_t n = std::min<std::size_t>(piece.size(), sizeof word);
    std::memcpy(&word, piece.data(), n);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
    piece.remove_prefix(n);
  }
  hash *= 0xBF58476D1CE4E5B9ULL;
  return hash ^ hash >> 32;
}

}  // namespace

PieceCache& PieceCache::of_thread() {
  thread_local PieceCache cache;
  return cache;
}

std::uint64_t PieceCache::new_owner() {
  static std::atomic<std::uint64_t> next{1};
  return next++;
}

bool PieceCache::holds(const Entry& entry, std::uint64_t hash, std::string_view piece) const {
  return entry.hash == hash && entry.piece_size == piece.size() &&
         std::memcmp(pieces_.data() + entry.piece_begin, piece.data(), piece.size()) == 0;
}

std::optional<std::span<const std::int32_t>> PieceCache::find(std::uint64_t owner,
                                                              std::string_view piece) const {
  const std::uint64_t hash = hash_of(owner, piece);
  for (std::size_t way = 0; way < kWays; ++way) {
    const Entry& entry = entries_[(hash + way) % kEntries];
    if (entry.piece_size == 0) break;
    if (!holds(entry, hash, piece)) continue;
    if (entry.ids_size <= kInlineIds) return std::span(entry.ids).first(entry.ids_size);
    return std::span(ids_).subspan(static_cast<std::size_t>(entry.ids[0]), entry.ids_size);
  }
  return std::nullopt;
}

void PieceCache::forget_all() {
  entries_.assign(kEntries, {});
  pieces_.clear();
  ids_.clear();
}

void PieceCache::put(std::uint64_t owner, std::string_view piece,
                     std::span<const std::int32_t> ids) {
  if (ids.size() > UINT16_MAX) return;
  if (pieces_.size() > kMaxBytes || ids_.size() > kMaxIds) forget_all();
  const std::uint64_t hash = hash_of(owner, piece);
  std::size_t slot = hash % kEntries;  // pushed out when all ways are taken
  for (std::size_t way = 0; way < kWays; ++way) {
    const std::size_t next = (hash + way) % kEntries;
    if (entries_[next].piece_size != 0) continue;
    slot = next;
    break;
  }
  Entry entry{hash,
              static_cast<std::uint32_t>(pieces_.size()),
              static_cast<std::uint16_t>(piece.size()),
              static_cast<std::uint16_t>(ids.size()),
              {}};
  pieces_ += piece;
  if (ids.size() <= kInlineIds) {
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  } else {
    entry.ids[0] = static_cast<std::int32_t>(ids_.size());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }
  entries_[slot] = entry;
}

}  // namespace plumb::text
