// Launches that a device refuses, and schedules.
#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "tests/simt/device_buffer.h"
#include "tests/simt/self/defects.h"

namespace plumb::simt {
namespace {

TEST(Launch, TooMuchSharedMemoryIsRefused) {
  const Outcome outcome = run([] {
    DeviceBuffer<float> out(10, "out");
    double_dynamic(10, out.data(), 228 * 1024);
  });
  EXPECT_TRUE(outcome.has(DefectKind::launch)) << outcome.text();
  EXPECT_THAT(outcome.text(), testing::HasSubstr("227 KB"));
}

TEST(Launch, NoBlocksAreRefused) {
  const Outcome outcome = run([] {
    DeviceBuffer<float> in(0, "in"), out(0, "out");
    copy_values(in.data(), out.data(), 0);
  });
  EXPECT_TRUE(outcome.has(DefectKind::launch)) << outcome.text();
}

TEST(Launch, AFaultEndsItsLaunchAlone) {
  const Outcome broken = run([] { null_pointer(Twin::broken, nullptr); });
  EXPECT_TRUE(broken.has(DefectKind::out_of_bounds)) << broken.text();
  const Outcome sound = run([] {
    DeviceBuffer<float> out(64, "out");
    null_pointer(Twin::sound, out.data());
    EXPECT_EQ(out.host(), std::vector<float>(64, 1.0f));
  });
  EXPECT_TRUE(sound.clean()) << sound.text();
}

TEST(Launch, SharedMemoryIsEmptyInEachBlock) {
  const Outcome outcome = run_one(
      [] {
        DeviceBuffer<float> out(128, "out");
        left_by_other_block(out.data());
      },
      {Order::forward});
  ASSERT_TRUE(outcome.has(DefectKind::uninitialised)) << outcome.text();
  EXPECT_EQ(outcome.defects.front().at.block, 1u);
}

TEST(Schedules, ArePermutations) {
  for (const Order order : {Order::forward, Order::reverse, Order::shuffled}) {
    const std::vector<uint32_t> places = permutation({order, 3}, 100, 5);
    EXPECT_EQ(std::set<uint32_t>(places.begin(), places.end()).size(), 100u);
  }
  EXPECT_EQ(permutation({Order::shuffled, 3}, 100, 5), permutation({Order::shuffled, 3}, 100, 5));
  EXPECT_NE(permutation({Order::shuffled, 3}, 100, 5), permutation({Order::shuffled, 4}, 100, 5));
  EXPECT_EQ(permutation({Order::reverse}, 3, 0), (std::vector<uint32_t>{2, 1, 0}));
}

}  // namespace
}  // namespace plumb::simt
