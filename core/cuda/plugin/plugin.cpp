#include "core/cuda/plugin.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "core/cuda/plugin/graphs.h"
#include "core/cuda/plugin/nccl_group.h"

namespace plumb {
namespace {

KernelStream current_stream(c10::DeviceIndex device) {
  return c10::cuda::getCurrentCUDAStream(device).stream();
}

// The first call of the process that makes a context: here a driver that fails says so.
void select(int device) {
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
  c10::cuda::CUDACachingAllocator::init(c10::cuda::device_count());
  c10::cuda::device_synchronize();
}

int64_t peak_bytes() {
  using namespace c10::CachingAllocator;
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
  return stats.allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)].peak;
}

}  // namespace
}  // namespace plumb

extern "C" const plumb::CudaPlugin* plumb_cuda_plugin() {
  using namespace plumb;
  static const CudaPlugin plugin{
      .bytes = sizeof(CudaPlugin),
      .kernels = plumb_kernel_table(),
      .stream = current_stream,
      .graphs = &cuda_graphs(),
      .select = select,
      .peak_bytes = peak_bytes,
      .connect_nccl = nccl_connector(),
  };
  return &plugin;
}
