#include "core/text/piece_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace plumb::text {

namespace {

constexpr std::size_t kWays = 8;             // places that a piece may have
constexpr std::size_t kMaxPieces = 1 << 16;  // half of the entries
constexpr std::size_t kMaxIds = 1 << 20;     // all are forgotten when there are more

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

std::size_t PieceCache::slot_of(std::uint64_t hash, std::string_view piece) const {
  for (std::size_t way = 0; way < kWays; ++way) {
    const std::size_t slot = (hash + way) % kEntries;
    if (entries_[slot].piece_size == 0 || holds(entries_[slot], hash, piece)) return slot;
  }
  return hash % kEntries;
}

bool PieceCache::holds(const Entry& entry, std::uint64_t hash, std::string_view piece) const {
  return entry.hash == hash &&
         std::string_view(pieces_).substr(entry.piece_begin, entry.piece_size) == piece;
}

std::optional<std::span<const std::int32_t>> PieceCache::find(std::uint64_t owner,
                                                              std::string_view piece) const {
  const std::uint64_t hash = hash_of(owner, piece);
  const Entry& entry = entries_[slot_of(hash, piece)];
  if (!holds(entry, hash, piece)) return std::nullopt;
  return std::span(ids_).subspan(entry.ids_begin, entry.ids_size);
}

void PieceCache::put(std::uint64_t owner, std::string_view piece,
                     std::span<const std::int32_t> ids) {
  if (count_ >= kMaxPieces || ids_.size() + ids.size() > kMaxIds) {
    entries_.assign(kEntries, {});
    pieces_.clear();
    ids_.clear();
    count_ = 0;
  }
  const std::uint64_t hash = hash_of(owner, piece);
  Entry& entry = entries_[slot_of(hash, piece)];
  if (entry.piece_size == 0) ++count_;
  entry = {hash, static_cast<std::uint32_t>(pieces_.size()),
           static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint32_t>(ids.size()),
           static_cast<std::uint16_t>(piece.size())};
  pieces_ += piece;
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

}  // namespace plumb::text
