#include "tests/simt/tensors/use_harness.h"

#include "core/ops/backend.h"
#include "tests/simt/tensors/counted_kernels.h"
#include "tests/simt/tensors/tensor_memory.h"

namespace plumb::simt {

UseHarness::UseHarness() {
  put_tensors_in_device_memory();
  use_kernels(c10::DeviceType::CPU, counted_kernels(), nullptr);
}

UseHarness::~UseHarness() {
  use_kernels(c10::DeviceType::CPU, nullptr, nullptr);
}

}  // namespace plumb::simt
