#include <sys/mman.h>

#include <stdexcept>

#include "tests/simt/machine.h"

namespace plumb::simt {
namespace {

namespace fcontext = boost::context::detail;

constexpr uint64_t kStackBytes = 64 * 1024;
constexpr uint64_t kGuardBytes = 4096;

uintptr_t create_stacks() {
  void* const at = mmap(nullptr, kStackBytes * kMostThreads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::runtime_error("simt: cannot reserve the stacks of 1024 threads");
  }
  for (uint64_t i = 0; i < kMostThreads; ++i) {
    mprotect(static_cast<char*>(at) + i * kStackBytes, kGuardBytes, PROT_NONE);
  }
  return reinterpret_cast<uintptr_t>(at);
}

void run_thread(fcontext::transfer_t from) {
  machine.scheduler = from.fctx;
  machine.body(machine.arguments);
  machine.thread->state = State::left;
  fcontext::jump_fcontext(machine.scheduler, nullptr);
}

}  // namespace

void prepare_fibers() {
  static const uintptr_t stacks = create_stacks();
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    Thread& thread = machine.threads[i];
    thread.stack_begin = stacks + i * kStackBytes + kGuardBytes;
    // Stacks that all began at the same offset in a page would share a few sets of the cache.
    thread.stack_end = stacks + (i + 1) * kStackBytes - (i % 61) * 64;
    thread.context = fcontext::make_fcontext(reinterpret_cast<void*>(thread.stack_end),
                                             thread.stack_end - thread.stack_begin, run_thread);
    thread.state = State::ready;
    thread.site = nullptr;
    thread.async_group = 0;
    thread.copies.clear();
  }
}

void resume(uint32_t number) {
  machine.number = number;
  machine.lane = number % kWarpLanes;
  machine.warp = &machine.warps[number / kWarpLanes];
  machine.thread = &machine.threads[number];
  machine.is_observed = machine.checks;
  machine.thread->context = fcontext::jump_fcontext(machine.thread->context, nullptr).fctx;
  machine.is_observed = false;
  machine.thread = nullptr;
  if (machine.fault) {
    throw LaunchStopped{};
  }
}

void suspend() {
  machine.scheduler = fcontext::jump_fcontext(machine.scheduler, nullptr).fctx;
}

void stop_launch() {
  machine.fault = true;
  fcontext::jump_fcontext(machine.scheduler, nullptr);
  __builtin_unreachable();
}

}  // namespace plumb::simt
