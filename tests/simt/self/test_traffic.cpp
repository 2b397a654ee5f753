// Sectors, distinct bytes and bank conflicts of access patterns that can be counted by hand.
#include <gtest/gtest.h>

#include <vector>

#include "tests/simt/device_buffer.h"
#include "tests/simt/self/language.h"

namespace plumb::simt {
namespace {

constexpr int64_t kFloats = 256;  // 1024 bytes, 32 sectors

Traffic moved(Pattern pattern) {
  const Outcome outcome = run([&] {
    DeviceBuffer<float> in(std::vector<float>(kFloats + 1, 2.0f), "in"), out(kFloats, "out");
    move_floats(pattern, in.data(), out.data());
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  return outcome.traffic();
}

TEST(TrafficCounts, VectorsAndScalarsMoveTheirBytesOnce) {
  for (const Pattern pattern : {Pattern::vectors, Pattern::scalars}) {
    const Traffic traffic = moved(pattern);
    EXPECT_EQ(traffic.sectors, 64u);
    EXPECT_EQ(traffic.unique_read, 1024u);
    EXPECT_EQ(traffic.unique_written, 1024u);
    EXPECT_EQ(traffic.requested_bytes(), 2048u);
    EXPECT_EQ(traffic.unique_sectors_read, 32u);
    EXPECT_DOUBLE_EQ(traffic.sector_efficiency(), 1.0);
  }
  EXPECT_EQ(moved(Pattern::vectors).requests, 8u);   // a warp a block, in and out
  EXPECT_EQ(moved(Pattern::scalars).requests, 16u);  // two warps
}

TEST(TrafficCounts, AStrideOfFourFloatsMovesFourTimesTheSectors) {
  const Traffic traffic = moved(Pattern::strided);
  EXPECT_EQ(traffic.sectors, 4u * 64);
  EXPECT_DOUBLE_EQ(traffic.sector_efficiency(), 0.25);
  EXPECT_EQ(traffic.unique_bytes(), 2048u);
}

TEST(TrafficCounts, ABroadcastReadsOneSector) {
  const Traffic traffic = moved(Pattern::broadcast);
  EXPECT_EQ(traffic.sectors, 8u + 32u);
  EXPECT_EQ(traffic.unique_read, 16u);
  EXPECT_DOUBLE_EQ(traffic.sector_efficiency(), 1.0);
}

TEST(TrafficCounts, AnOffsetOfOneFloatCostsASectorARequest) {
  EXPECT_EQ(moved(Pattern::misaligned).sectors, 32u + 8u + 32u);
}

TEST(TrafficCounts, WhatIsReadTwiceIsRequestedTwice) {
  const Outcome outcome = run([&] {
    DeviceBuffer<float> in(std::vector<float>(32, 2.0f), "in"), out(32, "out");
    read_twice(in.data(), out.data());
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  EXPECT_EQ(outcome.traffic().unique_read, 128u);
  EXPECT_EQ(outcome.traffic().bytes_read, 256u);
}

Traffic strided_by(int stride) {
  const Outcome outcome = run([&] {
    DeviceBuffer<float> out(32, "out");
    shared_stride(stride, out.data());
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  return outcome.traffic();
}

TEST(TrafficCounts, BankConflicts) {
  // 33 conflict-free stores, then one load.
  EXPECT_EQ(strided_by(1).shared_cycles, 34u);
  EXPECT_EQ(strided_by(2).shared_cycles, 35u);
  EXPECT_EQ(strided_by(32).shared_cycles, 33u + 32u);
  EXPECT_EQ(strided_by(33).shared_cycles, 34u);
  EXPECT_EQ(strided_by(0).shared_cycles, 34u);  // one word for all: a broadcast
  EXPECT_EQ(strided_by(32).ideal_shared_cycles, 34u);
}

TEST(TrafficCounts, TwoHalvesOfAWordAreOneAccessOfItsBank) {
  const Outcome outcome = run([&] {
    DeviceBuffer<float> out(32, "out");
    shared_halves(out.data());
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  EXPECT_EQ(outcome.traffic().shared_cycles, 2u);
}

TEST(TrafficCounts, VectorsOfSharedMemoryTakeFourPhases) {
  const Outcome outcome = run([&] {
    DeviceBuffer<float> out(32, "out");
    shared_vectors(out.data());
  });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  EXPECT_EQ(outcome.traffic().ideal_shared_cycles, 5u);
  EXPECT_EQ(outcome.traffic().shared_cycles, 4u + 4u);  // a scalar load with stride 4: four-way
}

}  // namespace
}  // namespace plumb::simt
