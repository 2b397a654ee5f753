// Conversions to bfloat16 and half against the CUDA toolkit's own headers.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

#include "tests/simt/cuda_half.h"
#include "tests/simt/self/toolkit_half.h"

namespace plumb::simt {
namespace {

TEST(HalfTypes, EveryValueWidensAsInTheToolkit) {
  if (!toolkit_has_half()) {
    GTEST_SKIP() << "no CUDA toolkit here: cuda_bf16.h is the reference";
  }
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    ASSERT_EQ(std::bit_cast<uint32_t>(__bfloat162float(__ushort_as_bfloat16(half))),
              std::bit_cast<uint32_t>(toolkit_from_bfloat16(half)));
    const float ours = __half2float(__ushort_as_half(half));
    const float theirs = toolkit_from_half(half);
    ASSERT_TRUE(std::bit_cast<uint32_t>(ours) == std::bit_cast<uint32_t>(theirs) ||
                (ours != ours && theirs != theirs))
        << bits;
  }
}

TEST(HalfTypes, FloatsRoundAsInTheToolkit) {
  if (!toolkit_has_half()) {
    GTEST_SKIP() << "no CUDA toolkit here: cuda_bf16.h is the reference";
  }
  // A prime stride through all floats, and the neighbours of every bfloat16's and half's ties.
  uint32_t bits = 0;
  for (uint64_t i = 0; i < (uint64_t{1} << 32); i += 2039) {
    bits = static_cast<uint32_t>(i);
    const float value = std::bit_cast<float>(bits);
    ASSERT_EQ(__bfloat16_as_ushort(__float2bfloat16_rn(value)), toolkit_to_bfloat16(value));
    ASSERT_EQ(__half_as_ushort(__float2half_rn(value)), toolkit_to_half(value)) << bits;
  }
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (const uint32_t low : {0x0000u, 0x0FFFu, 0x1000u, 0x1001u, 0x7FFFu, 0x8000u, 0x8001u}) {
      const float value = std::bit_cast<float>(high << 16 | low);
      ASSERT_EQ(__bfloat16_as_ushort(__float2bfloat16_rn(value)), toolkit_to_bfloat16(value));
      ASSERT_EQ(__half_as_ushort(__float2half_rn(value)), toolkit_to_half(value));
    }
  }
}

}  // namespace
}  // namespace plumb::simt
