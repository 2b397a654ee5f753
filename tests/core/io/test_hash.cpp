#include "core/io/hash.h"

#include <gtest/gtest.h>

#include "core/io/json.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

std::string sample(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131);
  return bytes;
}

// Each size takes another branch of the algorithm. Values: python-xxhash.
TEST(Hash, AgreesWithTheReference) {
  const Json expected = read_json("tests/oracle/fixtures/io/expected.json")["xxh3_128"];
  ASSERT_EQ(expected.size(), 14u);
  for (const auto& [size, hex] : expected.items()) {
    EXPECT_EQ(hash_hex(sample(std::stoul(size))), hex) << size;
  }
}

TEST(Hash, StreamingAndFilesAgreeWithOneShot) {
  TempFolder folder;
  for (const std::size_t size : {0u, 1u, 8u, 16u, 17u, 128u, 129u, 240u, 241u, 5000u, 2'100'000u}) {
    const std::string bytes = sample(size);
    Hasher hasher;
    for (std::size_t at = 0; at < size; at += 977) {
      hasher.update(std::string_view(bytes).substr(at, 977));
    }
    EXPECT_EQ(hasher.hex(), hash_hex(bytes)) << size;
    EXPECT_EQ(hash_file(folder.put("file", bytes)), hash_hex(bytes)) << size;
  }
}

TEST(Hash, EveryBitCounts) {
  const std::string bytes = sample(300);
  const std::string whole = hash_hex(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_NE(hash_hex(flipped), whole) << bit;
  }
}

}  // namespace
}  // namespace plumb
