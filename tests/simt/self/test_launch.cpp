// Launches that a device refuses, and schedules.
#include <gmock/gmock.h>

#include <set>
#include <vector>

#include "tests/simt/device_buffer.h"
#include "tests/simt/self/defects.h"
#include "tests/simt/source_line.h"

namespace plumb::simt {
namespace {

TEST(Launch, TooMuchSharedMemoryIsRefused) {
  const Outcome outcome = run([] {
    DeviceBuffer<float> out(10, "out");
    double_dynamic(10, out.data(), 228 * 1024);
  });
  EXPECT_TRUE(outcome.has(DefectKind::launch)) << outcome.text();
  EXPECT_THAT(outcome.text(), testing::HasSubstr("163 KB"));
}

// 40 KB declared and some dynamic: above 48 KB together, the device refuses what was not asked for.
TEST(Launch, DeclaredAndDynamicSharedMemoryTogether) {
  const auto launched = [](int64_t dynamic_bytes) {
    return run([&] {
      DeviceBuffer<float> out(64, "out");
      declared_and_dynamic(out.data(), dynamic_bytes);
    });
  };
  const Outcome unasked = launched(8 * 1024 + 16);
  EXPECT_TRUE(unasked.has(DefectKind::launch)) << unasked.text();
  EXPECT_THAT(unasked.text(), testing::HasSubstr("unasked"));
  EXPECT_TRUE(launched(8 * 1024).clean());
  EXPECT_TRUE(launched(24 * 1024).clean());  // asks
  EXPECT_TRUE(launched(130 * 1024).has(DefectKind::launch));
}

TEST(Launch, IsRecordedWithItsFunction) {
  const Outcome outcome = run([] {
    DeviceBuffer<float> out(64, "out");
    declared_and_dynamic(out.data(), 1024);
  });
  ASSERT_EQ(outcome.launches.size(), 1u);
  EXPECT_EQ(outcome.launches[0].shared_bytes, 41u * 1024);
  EXPECT_THAT(function_name(outcome.launches[0].code),
              testing::HasSubstr("declared_and_dynamic_kernel<10240>("));
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
