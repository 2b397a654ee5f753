// The harness' device memory on a GPU, so that the kernels' tests run on one: managed memory, which
// host and device both reach. Behind each buffer lies a guard whose bytes must not change.
#include "tests/simt/memory.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/simt/defect.h"

namespace plumb::simt {
namespace {

constexpr uint64_t kGuardBytes = 4096;
constexpr int kGuard = 0xA5, kNothing = 0xFF;  // a NaN, as in the harness

std::vector<std::unique_ptr<Buffer>> buffers;

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
  }
}

void check_guard(const Buffer& buffer) {
  const auto* const guard = reinterpret_cast<const uint8_t*>(buffer.end);
  if (!std::all_of(guard, guard + kGuardBytes, [](uint8_t byte) { return byte == kGuard; })) {
    report_launch(DefectKind::out_of_bounds, "",
                  "bytes behind the end of buffer '" + buffer.name + "' were written");
  }
}

}  // namespace

Buffer* allocate_device(uint64_t bytes, uint64_t /*element*/, std::string name) {
  void* memory = nullptr;
  check(cudaMallocManaged(&memory, bytes + kGuardBytes, cudaMemAttachGlobal), "cudaMallocManaged");
  std::memset(memory, kNothing, bytes);
  std::memset(static_cast<uint8_t*>(memory) + bytes, kGuard, kGuardBytes);
  auto buffer = std::make_unique<Buffer>();
  buffer->begin = reinterpret_cast<uintptr_t>(memory);
  buffer->end = buffer->begin + bytes;
  buffer->name = std::move(name);
  buffers.push_back(std::move(buffer));
  return buffers.back().get();
}

// Its memory goes with reset_device_memory: the address must not be used again before.
void free_device(Buffer* buffer) {
  check_guard(*buffer);
  buffer->is_freed = true;
}

void mark_written(Buffer*) {}

void wait_for_device() {
  check(cudaDeviceSynchronize(), "a kernel");
}

void reset_device_memory() {
  check(cudaDeviceSynchronize(), "a kernel");
  for (const auto& buffer : buffers) {
    check(cudaFree(reinterpret_cast<void*>(buffer->begin)), "cudaFree");
  }
  buffers.clear();
}

}  // namespace plumb::simt
