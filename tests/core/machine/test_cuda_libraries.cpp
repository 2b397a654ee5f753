#include "core/machine/cuda_libraries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/machine/device_name.h"

namespace plumb {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// A LibTorch made of stand-ins.
class CudaLibraries : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/lib");
    std::ofstream(folder_ + "/version.py") << "__all__ = ['cuda']\n__version__ = '2.13.0+cu130'\n";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string half() const { return folder_ + "/lib/libtorch_cuda.so"; }
  std::string plugin() const { return folder_ + "/libplumb_cuda.so"; }

  std::string refusal() const {
    try {
      open_cuda_libraries(torch_in(folder_), plugin());
    } catch (const Error& error) {
      EXPECT_EQ(error.code, Exit::usage);
      return error.what();
    }
    return "";
  }

  // Of this test alone: the loader knows libraries by their path, and opens none twice.
  const std::string folder_ = ::testing::TempDir() + "plumb_torch_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(CudaLibraries, AllThereIsOpened) {
  fs::copy_file(FAKE_DRIVER_NO_GPU, half());
  fs::copy_file(FAKE_DRIVER_TWO_GPUS, plugin());
  EXPECT_NE(open_cuda_libraries(torch_in(folder_), plugin()), nullptr);
}

TEST_F(CudaLibraries, ALibTorchForCpusIsNamedWithWhatToDo) {
  EXPECT_THAT(refusal(), HasSubstr("LibTorch 2.13.0+cu130 in " + folder_ + " is made for CPUs"));
  EXPECT_THAT(refusal(), HasSubstr("./bootstrap.sh build --cuda"));
}

TEST_F(CudaLibraries, ABuildWithoutTheGpuPartSaysSo) {
  fs::copy_file(FAKE_DRIVER_NO_GPU, half());
  EXPECT_THAT(refusal(), HasSubstr("this build has no GPU part (" + plugin()));
  EXPECT_THAT(refusal(), HasSubstr("./bootstrap.sh build --cuda"));
}

// As the small install: libtorch_cuda.so is there, what it needs is not.
TEST_F(CudaLibraries, MissingCudaLibrariesAreNamedInTheLoadersWords) {
  fs::copy_file(FAKE_NEEDS_MORE, half());
  fs::copy_file(FAKE_DRIVER_TWO_GPUS, plugin());
  EXPECT_THAT(refusal(), HasSubstr("without all of its CUDA libraries"));
  EXPECT_THAT(refusal(), HasSubstr("libfake_missing.so"));
  EXPECT_THAT(refusal(), HasSubstr("./bootstrap.sh build --cuda completes it"));
}

TEST_F(CudaLibraries, APluginThatDoesNotOpenIsOfAnotherBuild) {
  fs::copy_file(FAKE_DRIVER_NO_GPU, half());
  std::ofstream(plugin()) << "no library";
  EXPECT_THAT(refusal(), HasSubstr("does not open beside LibTorch 2.13.0+cu130"));
}

TEST_F(CudaLibraries, AZipSaysItsVersionInAnotherFile) {
  fs::remove(folder_ + "/version.py");
  EXPECT_EQ(torch_in(folder_).version, "of an unknown version");
  std::ofstream(folder_ + "/build-version") << "2.13.0+cpu\n";
  EXPECT_EQ(torch_in(folder_).version, "2.13.0+cpu");
}

TEST(DeviceName, CpuCudaAndAGpuByNumber) {
  EXPECT_FALSE(parse_device("cpu").is_cuda);
  EXPECT_TRUE(parse_device("cuda").is_cuda);
  EXPECT_EQ(parse_device("cuda").index, -1);
  EXPECT_EQ(parse_device("cuda:12").index, 12);
  for (const char* bad : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "CUDA"}) {
    EXPECT_THROW(parse_device(bad), Error) << bad;
  }
}

TEST(DeviceName, ARankTakesTheGpuOfItsNumber) {
  EXPECT_EQ(gpu_of_rank(parse_device("cuda"), 3, 4), 3);
  EXPECT_EQ(gpu_of_rank(parse_device("cuda"), 0, 1), 0);
  EXPECT_EQ(gpu_of_rank(parse_device("cuda:2"), 0, 1), 2);
  EXPECT_THROW(gpu_of_rank(parse_device("cuda:2"), 0, 4), Error);
}

}  // namespace
}  // namespace plumb
