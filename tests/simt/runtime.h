// What compiled kernels call: thread indices, barriers, warp collectives, shared memory, atomics
// and launches. Kernel files see it through cuda_language.h. Every call that synchronises or
// touches memory takes its place in the source from its return address.
#pragma once
#include <cstddef>
#include <cstdint>

#include "tests/simt/cuda_types.h"

namespace plumb::simt {

// Constant for a thread, so the compiler may keep what it has read.
[[gnu::const]] uint3 thread_index();
[[gnu::const]] uint3 block_index();
[[gnu::const]] dim3 block_shape();
[[gnu::const]] dim3 grid_shape();

enum class BarrierOp : uint8_t { plain, count, all, any };
// __syncthreads and its variants: all threads that have not left the kernel meet here.
int block_barrier(BarrierOp op, int predicate);

enum class WarpOp : uint8_t {
  sync,
  shuffle,
  shuffle_up,
  shuffle_down,
  shuffle_xor,
  any,
  all,
  ballot,
  match_any,
  match_all,
  add,
  min_signed,
  max_signed,
  min_unsigned,
  max_unsigned,
  bit_and,
  bit_or,
  bit_xor
};
struct WarpCall {
  WarpOp op;
  uint32_t mask;
  uint64_t value = 0;  // bits of the operand
  int lane = 0;        // source lane, or distance, or xor mask
  int width = 32;
};
// The lanes of `mask` meet here; gives the calling lane's result.
uint64_t warp_collective(const WarpCall& call);

// The block's array of this declaration (`key` is the address of a static of the declaration).
struct SharedArray {
  const void* key;
  const char* name;
  size_t bytes;
  size_t element;  // races are told apart down to this size
};
void* shared_array(const SharedArray& array);
void* dynamic_shared(size_t element);

// Says that the calling thread updates `bytes` at `address` atomically; the update itself follows
// in the caller (only one thread runs at a time).
void note_atomic(const void* address, size_t bytes, bool is_float);

// cp.async: the copy is queued; the destination holds nothing until async_wait lets it land.
void async_copy(void* shared, const void* global, size_t bytes);
void async_commit();
void async_wait(int groups_left);

struct LaunchShape {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;  // dynamic shared memory
};
struct LaunchedKernel {
  const char* name;  // as the launch is written
  const void* code;  // where the kernel begins
};
// Runs body(arguments) once a thread, under the schedule that is set (run.h).
void launch_grid(const LaunchedKernel& kernel, const LaunchShape& shape, void (*body)(void*),
                 void* arguments);

}  // namespace plumb::simt
