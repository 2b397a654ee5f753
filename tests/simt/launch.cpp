// Launches: the grid's blocks one after another, shared arrays, async copies.
#include <cstring>
#include <utility>

#include "core/ops/cuda/shared_memory.h"
#include "tests/simt/machine.h"
#include "tests/simt/memory.h"
#include "tests/simt/race.h"
#include "tests/simt/run.h"

namespace plumb::simt {

Machine machine;

namespace {

constexpr uint64_t kSharedLimit = 163 * 1024;  // of sm_80, the least of all that kernels are for

constexpr char kDynamicKey = 0;

void refuse(std::string why) {
  report_launch(DefectKind::launch, machine.kernel, std::move(why));
}

bool is_launchable(const LaunchShape& shape) {
  const uint64_t threads = shape.block.count(), blocks = shape.grid.count();
  if (threads == 0 || threads > kMostThreads || shape.block.z > 64) {
    refuse("a block has 1 to 1024 threads (z to 64), got " + std::to_string(threads));
    return false;
  }
  if (blocks == 0 || shape.grid.x > 0x7FFFFFFFu || shape.grid.y > 65535 || shape.grid.z > 65535) {
    refuse("a grid has 1 to 2^31 - 1, 65535, 65535 blocks, got " + std::to_string(shape.grid.x) +
           ", " + std::to_string(shape.grid.y) + ", " + std::to_string(shape.grid.z));
    return false;
  }
  if (shape.shared_bytes > kSharedLimit) {
    refuse("a block has at most 163 KB of shared memory on sm_80, got " +
           std::to_string(shape.shared_bytes) + " bytes");
    return false;
  }
  return true;
}

uint3 index_in(const dim3& shape, uint64_t number) {
  const uint64_t plane = uint64_t{shape.x} * shape.y;
  return {static_cast<unsigned>(number % shape.x), static_cast<unsigned>(number % plane / shape.x),
          static_cast<unsigned>(number / plane)};
}

void prepare_launch(const char* name, const LaunchShape& shape) {
  machine.kernel = name;
  machine.grid = shape.grid;
  machine.shape = shape.block;
  machine.dynamic_bytes = shape.shared_bytes;
  machine.uses_dynamic = false;
  machine.thread_count = static_cast<uint32_t>(shape.block.count());
  machine.warp_count = (machine.thread_count + kWarpLanes - 1) / kWarpLanes;
  machine.launch_stamp = ++machine.stamp;
  machine.block_stamps.clear();
  machine.traffic = {};
  machine.fault = false;
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    machine.threads[i].index = index_in(shape.block, i);
  }
  reset_shared();
}

// The shared memory of a block, once the kernel has run and its declared arrays are known.
uint64_t checked_shared_bytes() {
  const uint64_t dynamic = machine.dynamic_bytes;
  const uint64_t declared = shared_bytes_used() - (machine.uses_dynamic ? dynamic : 0);
  const std::string amounts = std::to_string(declared) + " bytes declared and " +
                              std::to_string(dynamic) + " bytes dynamic";
  if (declared > kSharedUnasked || declared + dynamic > kSharedLimit) {
    refuse("shared arrays take " + amounts +
           "; the limit is 48 KB declared, 163 KB with dynamic ones on sm_80");
  } else if (declared + dynamic > kSharedUnasked && dynamic <= kDynamicUnasked) {
    refuse("shared arrays take " + amounts +
           ", together more than the 48 KB that a block gets unasked; launches ask from " +
           std::to_string(kDynamicUnasked) + " dynamic bytes up (core/ops/cuda/shared_memory.h)");
  }
  return declared + dynamic;
}

}  // namespace

uint3 thread_index() {
  return machine.thread->index;
}
uint3 block_index() {
  return machine.block_index;
}
dim3 block_shape() {
  return machine.shape;
}
dim3 grid_shape() {
  return machine.grid;
}

void launch_grid(const LaunchedKernel& kernel, const LaunchShape& shape, void (*body)(void*),
                 void* arguments) {
  prepare_launch(kernel.name, shape);
  if (!is_launchable(shape)) {
    throw LaunchStopped{};
  }
  machine.body = body;
  machine.arguments = arguments;
  for (const uint32_t block :
       permutation(machine.schedule, shape.grid.count(), machine.launch_stamp)) {
    machine.block = block;
    machine.block_index = index_in(shape.grid, block);
    run_block();
  }
  add_launch({kernel.name, kernel.code, shape, checked_shared_bytes(), machine.traffic});
}

void* shared_array(const SharedArray& array) {
  const Unobserved here;
  return reinterpret_cast<void*>(
      shared_buffer(array.key, array.bytes, array.element, array.name)->begin);
}

void* dynamic_shared(size_t element) {
  const Unobserved here;
  machine.uses_dynamic = true;
  return reinterpret_cast<void*>(
      shared_buffer(&kDynamicKey, machine.dynamic_bytes, element, "dynamic shared memory")->begin);
}

Place place_of(uint32_t number, const void* pc, std::string what) {
  return {pc, machine.block, number, std::move(what)};
}

void async_copy(void* shared, const void* global, size_t bytes) {
  const Unobserved here;
  const void* const pc = __builtin_return_address(0);
  touch_device(global, static_cast<uint32_t>(bytes), AccessKind::read, pc);
  touch_device(shared, static_cast<uint32_t>(bytes), AccessKind::write, pc);
  forget_written(shared, bytes);
  machine.thread->copies.push_back({shared, global, bytes, pc, machine.thread->async_group});
}

void async_commit() {
  ++machine.thread->async_group;
}

void async_wait(int groups_left) {
  const Unobserved here;
  Thread& thread = *machine.thread;
  const uint32_t landed =
      thread.async_group -
      std::min<uint32_t>(static_cast<uint32_t>(groups_left), thread.async_group);
  std::erase_if(thread.copies, [&](const AsyncCopy& copy) {
    if (copy.group >= landed) {
      return false;
    }
    std::memcpy(copy.to, copy.from, copy.bytes);
    touch_device(copy.to, static_cast<uint32_t>(copy.bytes), AccessKind::write, copy.pc);
    return true;
  });
}

}  // namespace plumb::simt
