#include "core/machine/nvidia.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plumb {
namespace {

using ::testing::HasSubstr;

TEST(Nvidia, EachDeviceIsRead) {
  const NvidiaDriver driver = read_nvidia_driver(FAKE_DRIVER_TWO_GPUS);
  EXPECT_EQ(driver.problem, "");
  EXPECT_EQ(driver.cuda, 13000);
  ASSERT_EQ(driver.devices.size(), 2u);
  EXPECT_EQ(driver.devices[1].name, "GPU 11");
  EXPECT_EQ(driver.devices[1].bytes, std::uint64_t{11} << 30);
  EXPECT_EQ(driver.devices[1].capability_major, 9);
  EXPECT_EQ(driver.devices[1].capability_minor, 1);
}

TEST(Nvidia, WithoutADriverTheLoaderSaysWhy) {
  const NvidiaDriver driver = read_nvidia_driver("libno_such_driver.so.1");
  EXPECT_THAT(driver.problem, HasSubstr("no NVIDIA driver (libno_such_driver.so.1"));
  EXPECT_TRUE(driver.devices.empty());
}

TEST(Nvidia, ADriverWithoutADeviceSaysSo) {
  EXPECT_THAT(read_nvidia_driver(FAKE_DRIVER_NO_GPU).problem, HasSubstr("sees no device"));
}

TEST(Nvidia, ADriverThatFailsIsQuoted) {
  EXPECT_THAT(read_nvidia_driver(FAKE_DRIVER_BROKEN).problem, HasSubstr("CUDA_ERROR_UNKNOWN"));
}

TEST(Nvidia, AnotherLibraryIsNoDriver) {
  EXPECT_THAT(read_nvidia_driver("libc.so.6").problem, HasSubstr("lacks functions"));
  EXPECT_THAT(read_nccl("libc.so.6").problem, HasSubstr("is no NCCL"));
}

TEST(Nvidia, NcclTellsItsVersion) {
  EXPECT_EQ(read_nccl(FAKE_DRIVER_NO_GPU).version, 22809);
  EXPECT_THAT(read_nccl("libno_such_nccl.so.2").problem, HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace plumb
