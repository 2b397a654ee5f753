// What reader and writer of GGUF share.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "core/io/gguf.h"

namespace plumb::gguf {

constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
constexpr std::uint32_t kVersion = 3;
constexpr std::uint32_t kArray = 9;
constexpr std::size_t kMaxRank = 4;
constexpr std::size_t kMaxKey = 65'535;  // bytes

// The number of a value's type in files.
template <class T>
constexpr std::uint32_t type_number() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return 0;
  if constexpr (std::is_same_v<T, std::int8_t>) return 1;
  if constexpr (std::is_same_v<T, std::uint16_t>) return 2;
  if constexpr (std::is_same_v<T, std::int16_t>) return 3;
  if constexpr (std::is_same_v<T, std::uint32_t>) return 4;
  if constexpr (std::is_same_v<T, std::int32_t>) return 5;
  if constexpr (std::is_same_v<T, float>) return 6;
  if constexpr (std::is_same_v<T, bool>) return 7;
  if constexpr (std::is_same_v<T, std::string>) return 8;
  if constexpr (std::is_same_v<T, std::uint64_t>) return 10;
  if constexpr (std::is_same_v<T, std::int64_t>) return 11;
  if constexpr (std::is_same_v<T, double>) return 12;
}

constexpr std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Bytes of a tensor; nullopt when a row is no whole number of blocks or the sizes overflow.
std::optional<std::uint64_t> tensor_bytes(GgmlType type, const std::vector<std::int64_t>& shape);

}  // namespace plumb::gguf
