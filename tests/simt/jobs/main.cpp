// One process for all tests: at its end every kernel of the product must have been launched by an
// op, a model or a job.
#include <gtest/gtest.h>

#include <ATen/Parallel.h>

#include "tests/simt/tensors/counted_kernels.h"
#include "tests/simt/tensors/tensor_memory.h"

namespace {

class NoOrphans : public testing::Environment {
  void SetUp() override {
    plumb::simt::put_tensors_in_device_memory();
    at::set_num_threads(1);  // so little work that threads would only wait for one another
  }
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*") {
      return;
    }
    for (const auto& [name, launches] : plumb::simt::launch_counts()) {
      EXPECT_GT(launches, 0) << "no op of the product launched the kernel '" << name << "'";
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new NoOrphans);
  return RUN_ALL_TESTS();
}
