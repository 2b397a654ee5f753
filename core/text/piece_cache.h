// Pieces that this thread has encoded lately, with their ids. Words repeat: most pieces of a text
// are found here.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::text {

inline constexpr std::size_t kMaxCachedPiece = 64;  // bytes; longer pieces are rarely seen twice

class PieceCache {
 public:
  static PieceCache& of_thread();
  // A number for a tokenizer, under which its pieces are kept.
  static std::uint64_t new_owner();

  // The ids of `piece` (not empty, at most kMaxCachedPiece bytes), good until the next put().
  std::optional<std::span<const std::int32_t>> find(std::uint64_t owner,
                                                    std::string_view piece) const;
  // A piece that find() did not find; pushes out another where there is no room.
  void put(std::uint64_t owner, std::string_view piece, std::span<const std::int32_t> ids);

 private:
  static constexpr std::size_t kEntries = 1 << 16;
  static constexpr std::size_t kInlineIds = 3;  // more are in ids_, from ids[0] on

  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t piece_begin = 0;
    std::uint16_t piece_size = 0;  // 0: the entry is free
    std::uint16_t ids_size = 0;
    std::array<std::int32_t, kInlineIds> ids{};
  };
  bool holds(const Entry& entry, std::uint64_t hash, std::string_view piece) const;
  void forget_all();

  std::vector<Entry> entries_ = std::vector<Entry>(kEntries);
  std::string pieces_;
  std::vector<std::int32_t> ids_;
};

}  // namespace plumb::text
