// The wheel is built with NCCL but its headers do not say so.
#ifdef PLUMB_NCCL
#define USE_C10D_NCCL
#endif
#include "core/cuda/plugin/nccl_group.h"

#ifdef PLUMB_NCCL
#include <c10/cuda/CUDAFunctions.h>

#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#endif

namespace plumb {

#ifdef PLUMB_NCCL
namespace {

// wait() waits on the host, and throws where a rank is gone: what Comm promises. Without it NCCL's
// watchdog would end the process. The communicator is made here and not at the first collective, so
// that a rank without a working device fails where ranks meet.
c10::intrusive_ptr<c10d::Backend> connect(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                          int world_size, std::chrono::milliseconds timeout) {
  setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  auto group =
      c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, world_size, std::move(options));
  group->eagerConnectSingleDevice(c10::Device(c10::DeviceType::CUDA, c10::cuda::current_device()));
  return group;
}

}  // namespace
#endif

decltype(CudaPlugin::connect_nccl) nccl_connector() {
#ifdef PLUMB_NCCL
  return connect;
#else
  return nullptr;
#endif
}

}  // namespace plumb
