// Blocks: which thread runs next, and the barrier of a block.
#include <algorithm>
#include <bit>

#include "tests/simt/machine.h"
#include "tests/simt/memory.h"
#include "tests/simt/source_line.h"

namespace plumb::simt {
namespace {

struct Orders {
  std::vector<uint32_t> warps;
  std::vector<uint32_t> lanes;
};

void begin_block() {
  machine.block_stamp = ++machine.stamp;
  machine.block_stamps.emplace_back(machine.stamp, machine.block);
  poison_shared();
  prepare_fibers();
  for (uint32_t w = 0; w < machine.warp_count; ++w) {
    Warp& warp = machine.warps[w];
    const uint32_t lanes = std::min(kWarpLanes, machine.thread_count - w * kWarpLanes);
    warp.lanes = lanes == kWarpLanes ? ~0u : (1u << lanes) - 1;
    warp.ready = warp.lanes;
    warp.waiting = 0;
    for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
      warp.seen[lane].fill(0);
      warp.seen[lane][lane] = 1;
    }
  }
}

// Runs each ready lane once; a collective that completes meanwhile readies its lanes again.
bool run_warp_once(uint32_t w, const std::vector<uint32_t>& lanes) {
  Warp& warp = machine.warps[w];
  const bool any = warp.ready != 0;
  for (const uint32_t lane : lanes) {
    const uint32_t bit = 1u << lane;
    if (warp.ready & bit) {
      warp.ready &= ~bit;
      resume(w * kWarpLanes + lane);
    }
  }
  return any;
}

// A shuffled schedule changes the warp at every collective, the others run one to its barrier.
bool run_warps(const Orders& orders) {
  bool any = false;
  for (const uint32_t w : orders.warps) {
    while (run_warp_once(w, orders.lanes)) {
      any = true;
      if (machine.schedule.order == Order::shuffled) {
        break;
      }
    }
  }
  return any;
}

struct Arrivals {
  uint32_t waiting = 0, left = 0;
  int count = 0;  // of true predicates
  const Thread* first = nullptr;
};

Arrivals arrivals() {
  Arrivals all;
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    const Thread& thread = machine.threads[i];
    if (thread.state == State::left) {
      ++all.left;
    } else if (thread.state == State::at_barrier) {
      ++all.waiting;
      all.count += thread.predicate != 0;
      all.first = all.first == nullptr ? &thread : all.first;
    }
  }
  return all;
}

uint32_t number_of(const Thread& thread) {
  return static_cast<uint32_t>(&thread - machine.threads.data());
}

bool same_line(const void* a, const void* b) {
  return a == b || source_text(a) == source_text(b);
}

void check_barrier(const Arrivals& all) {
  const Place waits = place_of(number_of(*all.first), all.first->site, "awaited");
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    const Thread& thread = machine.threads[i];
    if (thread.state == State::left) {
      report({DefectKind::divergent_barrier, machine.kernel, waits,
              place_of(i, thread.site, "last synchronised"),
              std::to_string(all.left) + " threads have left the kernel while " +
                  std::to_string(all.waiting) + " wait"});
      return;
    }
    if (!same_line(thread.site, all.first->site)) {
      report({DefectKind::divergent_barrier, machine.kernel, waits,
              place_of(i, thread.site, "awaited"), "threads of a block meet at two barriers"});
      return;
    }
  }
}

void release_barrier(const Arrivals& all) {
  const int non_false = all.count;
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    Thread& thread = machine.threads[i];
    if (thread.state != State::at_barrier) {
      continue;
    }
    switch (thread.barrier) {
      case BarrierOp::plain:
        break;
      case BarrierOp::count:
        thread.result = static_cast<uint64_t>(non_false);
        break;
      case BarrierOp::all:
        thread.result = non_false == static_cast<int>(all.waiting);
        break;
      case BarrierOp::any:
        thread.result = non_false != 0;
        break;
    }
    thread.state = State::ready;
    machine.warps[i / kWarpLanes].ready |= 1u << (i % kWarpLanes);
  }
  ++machine.stamp;
}

void count_traffic() {
  for (uint32_t w = 0; w < machine.warp_count; ++w) {
    machine.warps[w].traffic.count_into(machine.traffic);
  }
}

}  // namespace

void run_block() {
  begin_block();
  Orders orders{permutation(machine.schedule, machine.warp_count, machine.block * 2 + 1),
                permutation(machine.schedule, kWarpLanes, machine.block * 2 + 2)};
  while (true) {
    while (run_warps(orders)) {
    }
    const Arrivals all = arrivals();
    if (all.left == machine.thread_count) {
      break;
    }
    if (all.waiting + all.left < machine.thread_count) {
      report_stuck();
      throw LaunchStopped{};
    }
    check_barrier(all);
    count_traffic();
    release_barrier(all);
  }
  count_traffic();
}

int block_barrier(BarrierOp op, int predicate) {
  const Unobserved here;
  Thread& thread = *machine.thread;
  thread.state = State::at_barrier;
  thread.barrier = op;
  thread.predicate = predicate;
  thread.site = __builtin_return_address(0);
  suspend();
  return static_cast<int>(thread.result);
}

}  // namespace plumb::simt
