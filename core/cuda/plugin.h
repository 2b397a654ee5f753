// What libplumb_cuda.so gives to the jobs, which link the CPU half of LibTorch alone: the kernels,
// and the little of LibTorch's CUDA half that they must call by name. Everything else of it is
// reached through ATen's dispatcher once libtorch_cuda.so is open.
#pragma once
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <cstdint>

#include "core/ops/backend.h"
#include "core/ops/device_graph.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace plumb {

struct CudaPlugin {
  int64_t bytes = 0;  // sizeof(CudaPlugin) of the library that filled it

  const KernelTable* kernels = nullptr;
  CurrentStream stream = nullptr;
  const GraphFunctions* graphs = nullptr;

  // The device of this thread from now on; throws what LibTorch throws.
  void (*select)(int device) = nullptr;

  // The largest number of bytes that tensors took so far, on the selected device.
  int64_t (*peak_bytes)() = nullptr;

  // c10d's NCCL backend on the selected device; null: the plugin was built without NCCL's header.
  c10::intrusive_ptr<c10d::Backend> (*connect_nccl)(const c10::intrusive_ptr<c10d::Store>& store,
                                                    int rank, int world_size,
                                                    std::chrono::milliseconds timeout) = nullptr;
};

inline constexpr const char* kCudaPluginSymbol = "plumb_cuda_plugin";

}  // namespace plumb

// What kCudaPluginSymbol names; lives as long as the library.
extern "C" const plumb::CudaPlugin* plumb_cuda_plugin();
