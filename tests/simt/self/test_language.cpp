// What the words of CUDA mean under the harness, by the CUDA C++ Programming Guide.
#include "tests/simt/self/language.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/simt/device_buffer.h"

namespace plumb::simt {
namespace {

template <class T>
std::vector<T> result_of(void (*launcher)(T*), std::vector<T> before) {
  std::vector<T> result;
  const Outcome outcome = run([&] {
    DeviceBuffer<T> out(before, "out");
    launcher(out.data());
    result = out.host();
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  return result;
}

TEST(Language, Shuffles) {
  const std::vector<int64_t> out = result_of<int64_t>(shuffles, std::vector<int64_t>(160));
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(out[lane], lane / 8 * 8 + 3);
    EXPECT_EQ(out[32 + lane], lane < 2 ? lane : lane - 2);
    EXPECT_EQ(out[64 + lane], lane % 16 + 3 < 16 ? lane + 3 : lane);
    EXPECT_EQ(out[96 + lane], lane ^ 5);
    EXPECT_EQ(out[128 + lane], int64_t{1} << (31 - lane + 8));
  }
}

TEST(Language, Votes) {
  const std::vector<int64_t> out = result_of<int64_t>(votes, std::vector<int64_t>(256));
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(out[lane], 1);
    EXPECT_EQ(out[32 + lane], 0);
    EXPECT_EQ(out[64 + lane], 0xAAAAAAAA);
    EXPECT_EQ(out[96 + lane], int64_t{0xF} << (lane / 4 * 4));
    EXPECT_EQ(out[128 + lane], 0xFFFFFFFF);
    EXPECT_EQ(out[160 + lane], 1 + 31 * 32 / 2);
    EXPECT_EQ(out[192 + lane], -5);
    EXPECT_EQ(out[224 + lane], 0xFFFFFFFF);
  }
}

TEST(Language, BlockVotes) {
  EXPECT_EQ(result_of<int>(block_votes, {-1, -1, -1}), (std::vector<int>{32, 0, 1}));
}

TEST(Language, Indices) {
  std::vector<int64_t> wanted(12 * 24);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(result_of<int64_t>(indices, std::vector<int64_t>(wanted.size(), -1)), wanted);
}

TEST(Language, Atomics) {
  const std::vector<unsigned> before{0, 0, 1000, 0, 0xFFFF, 0, 0};
  EXPECT_EQ(result_of<unsigned>(atomics, before),
            (std::vector<unsigned>{2016, 63, 5, 0xFFFFFFFF, 0xFF00, 0, 64}));
}

TEST(Language, AnAtomicHasOneOldValueAThread) {
  const Outcome outcome = run_one(
      [] {
        DeviceBuffer<unsigned> out(std::vector<unsigned>(7), "out");
        atomics(out.data());
      },
      {Order::forward});
  EXPECT_EQ(outcome.traffic().float_atomics, 0u);
  EXPECT_GE(outcome.traffic().atomics, 7u * 64);
}

}  // namespace
}  // namespace plumb::simt
