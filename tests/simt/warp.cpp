// Warp collectives: the lanes named in a mask meet, then each gets its result.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "tests/simt/machine.h"
#include "tests/simt/source_line.h"

namespace plumb::simt {
namespace {

const char* op_name(WarpOp op) {
  switch (op) {
    case WarpOp::sync:
      return "__syncwarp";
    case WarpOp::shuffle:
      return "__shfl_sync";
    case WarpOp::shuffle_up:
      return "__shfl_up_sync";
    case WarpOp::shuffle_down:
      return "__shfl_down_sync";
    case WarpOp::shuffle_xor:
      return "__shfl_xor_sync";
    case WarpOp::any:
      return "__any_sync";
    case WarpOp::all:
      return "__all_sync";
    case WarpOp::ballot:
      return "__ballot_sync";
    case WarpOp::match_any:
      return "__match_any_sync";
    case WarpOp::match_all:
      return "__match_all_sync";
    default:
      return "__reduce_sync";
  }
}

std::string hex(uint32_t mask) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) {
    text += kDigits[mask >> shift & 15u];
  }
  return text;
}

bool is_shuffle(WarpOp op) {
  return op >= WarpOp::shuffle && op <= WarpOp::shuffle_xor;
}

// The lane a shuffle reads: the caller's own where the segment ends (PTX ISA, shfl.sync).
uint32_t source_lane(const WarpCall& call, uint32_t lane) {
  const uint32_t width = static_cast<uint32_t>(call.width);
  const uint32_t base = lane & ~(width - 1);
  const int64_t place = lane - base;
  int64_t from = place;
  switch (call.op) {
    case WarpOp::shuffle:
      return base + (static_cast<uint32_t>(call.lane) & (width - 1));
    case WarpOp::shuffle_up:
      from = place - call.lane;
      break;
    case WarpOp::shuffle_down:
      from = place + call.lane;
      break;
    default:
      from = place ^ call.lane;
      break;
  }
  return from < 0 || from >= static_cast<int64_t>(width) ? lane
                                                         : base + static_cast<uint32_t>(from);
}

template <class Value>
uint64_t reduce(WarpOp op, const Thread* threads, uint32_t mask) {
  auto total = static_cast<Value>(threads[std::countr_zero(mask)].call.value);
  for (uint32_t rest = mask & (mask - 1); rest != 0; rest &= rest - 1) {
    const auto value = static_cast<Value>(threads[std::countr_zero(rest)].call.value);
    switch (op) {
      case WarpOp::add:
        total += value;
        break;
      case WarpOp::min_signed:
      case WarpOp::min_unsigned:
        total = std::min(total, value);
        break;
      case WarpOp::max_signed:
      case WarpOp::max_unsigned:
        total = std::max(total, value);
        break;
      case WarpOp::bit_and:
        total &= value;
        break;
      case WarpOp::bit_or:
        total |= value;
        break;
      default:
        total ^= value;
        break;
    }
  }
  return static_cast<uint32_t>(total);
}

uint32_t lanes_equal(const Thread* threads, uint32_t mask, uint64_t value) {
  uint32_t equal = 0;
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    equal |= threads[lane].call.value == value ? 1u << lane : 0u;
  }
  return equal;
}

// One value for all lanes of the mask.
uint64_t common_result(WarpOp op, const Thread* threads, uint32_t mask) {
  const uint32_t non_zero = mask & ~lanes_equal(threads, mask, 0);
  switch (op) {
    case WarpOp::sync:
      return 0;
    case WarpOp::any:
      return non_zero != 0;
    case WarpOp::all:
      return non_zero == mask;
    case WarpOp::ballot:
      return non_zero;
    case WarpOp::match_all: {
      const uint64_t value = threads[std::countr_zero(mask)].call.value;
      return lanes_equal(threads, mask, value) == mask ? mask : 0;
    }
    case WarpOp::min_signed:
    case WarpOp::max_signed:
      return reduce<int32_t>(op, threads, mask);
    default:
      return reduce<uint32_t>(op, threads, mask);
  }
}

void shuffle_lane(Thread* threads, uint32_t lane, uint32_t mask) {
  Thread& thread = threads[lane];
  const uint32_t from = source_lane(thread.call, lane);
  if ((mask >> from & 1u) == 0) {
    const uint32_t number = static_cast<uint32_t>(&thread - machine.threads.data());
    report_here(DefectKind::warp_mask, place_of(number, thread.site, "called"),
                std::string(op_name(thread.call.op)) + " reads lane " + std::to_string(from) +
                    ", which mask " + hex(mask) + " does not name");
    thread.result = thread.call.value;
    return;
  }
  thread.result = threads[from].call.value;
}

// What the lanes of the mask did before is ordered before what they do next.
void join_clocks(Warp& warp, uint32_t mask) {
  std::array<uint32_t, kWarpLanes> joined{};
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const auto& seen = warp.seen[std::countr_zero(rest)];
    for (uint32_t i = 0; i < kWarpLanes; ++i) {
      joined[i] = std::max(joined[i], seen[i]);
    }
  }
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    warp.seen[lane] = joined;
    ++warp.seen[lane][lane];
  }
}

bool is_same_call(const Thread& a, const Thread& b) {
  return a.call.op == b.call.op && a.call.mask == b.call.mask;
}

bool all_here(const Warp& warp, const Thread* threads, const Thread& caller) {
  if ((caller.call.mask & warp.waiting) != caller.call.mask) {
    return false;
  }
  for (uint32_t rest = caller.call.mask; rest != 0; rest &= rest - 1) {
    if (!is_same_call(threads[std::countr_zero(rest)], caller)) {
      return false;
    }
  }
  return true;
}

void check_sites(const Thread* threads, uint32_t mask) {
  const Thread& first = threads[std::countr_zero(mask)];
  for (uint32_t rest = mask & (mask - 1); rest != 0; rest &= rest - 1) {
    const Thread& other = threads[std::countr_zero(rest)];
    if (other.site != first.site && source_text(other.site) != source_text(first.site)) {
      const auto number = [](const Thread& thread) {
        return static_cast<uint32_t>(&thread - machine.threads.data());
      };
      report({DefectKind::warp_mask, machine.kernel, place_of(number(first), first.site, "called"),
              place_of(number(other), other.site, "called"),
              std::string("lanes of mask ") + hex(mask) + " meet in two calls of " +
                  op_name(first.call.op)});
      return;
    }
  }
}

std::string state_text(const Thread& thread) {
  switch (thread.state) {
    case State::left:
      return "left the kernel";
    case State::at_barrier:
      return "waits at a barrier of the block";
    case State::at_warp:
      return std::string("waits in ") + op_name(thread.call.op) + " with mask " +
             hex(thread.call.mask);
    case State::ready:
      return "runs";
  }
  return "";
}

// The first lane `thread` waits for, or nullptr where the warp has no such lane.
const Thread* missing_lane(const Warp& warp, const Thread* threads, const Thread& thread,
                           uint32_t& lane) {
  for (uint32_t rest = thread.call.mask; rest != 0; rest &= rest - 1) {
    lane = static_cast<uint32_t>(std::countr_zero(rest));
    const bool exists = (warp.lanes >> lane & 1u) != 0;
    if (!exists || threads[lane].state != State::at_warp || !is_same_call(threads[lane], thread)) {
      return exists ? &threads[lane] : nullptr;
    }
  }
  return nullptr;
}

void report_waiting(const Warp& warp, const Thread* threads, uint32_t number) {
  const Thread& thread = machine.threads[number];
  uint32_t lane = 0;
  const Thread* const missing = missing_lane(warp, threads, thread, lane);
  Defect defect{DefectKind::warp_mask,
                machine.kernel,
                place_of(number, thread.site, "called"),
                {},
                std::string(op_name(thread.call.op)) + " with mask " + hex(thread.call.mask) +
                    " waits for lane " + std::to_string(lane) + ", which "};
  if (missing == nullptr) {
    defect.detail += "the block does not have";
  } else {
    defect.detail += state_text(*missing);
    defect.other = place_of(static_cast<uint32_t>(missing - machine.threads.data()), missing->site,
                            "last synchronised");
    defect.kind =
        missing->state == State::at_barrier ? DefectKind::deadlock : DefectKind::warp_mask;
  }
  report(std::move(defect));
}

}  // namespace

void finish_collective(Warp& warp, uint32_t first_thread, uint32_t mask) {
  Thread* const threads = &machine.threads[first_thread];
  const WarpOp op = threads[std::countr_zero(mask)].call.op;
  check_sites(threads, mask);
  const bool is_common = !is_shuffle(op) && op != WarpOp::match_any;
  const uint64_t common = is_common ? common_result(op, threads, mask) : 0;
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(rest));
    Thread& thread = threads[lane];
    if (is_shuffle(op)) {
      shuffle_lane(threads, lane, mask);
    } else {
      thread.result = is_common ? common : lanes_equal(threads, mask, thread.call.value);
    }
    thread.state = State::ready;
  }
  if (op == WarpOp::sync) {  // the others order no memory (CUDA guide, warp shuffle functions)
    join_clocks(warp, mask);
  }
  warp.waiting &= ~mask;
  warp.ready |= mask;
}

uint64_t warp_collective(const WarpCall& call) {
  const Unobserved here;
  Thread& thread = *machine.thread;
  Warp& warp = *machine.warp;
  thread.site = __builtin_return_address(0);
  if ((call.mask >> machine.lane & 1u) == 0) {
    report_here(DefectKind::warp_mask, place_here(thread.site, "called"),
                "lane " + std::to_string(machine.lane) + " calls " + op_name(call.op) +
                    " with mask " + hex(call.mask) + ", which does not name it");
    return call.value;
  }
  thread.call = call;
  thread.state = State::at_warp;
  warp.waiting |= 1u << machine.lane;
  if (all_here(warp, &machine.threads[machine.number - machine.lane], thread)) {
    finish_collective(warp, machine.number - machine.lane, call.mask);
    warp.ready &= ~(1u << machine.lane);  // goes on at once
    return thread.result;
  }
  suspend();
  return thread.result;
}

void report_stuck() {
  for (uint32_t i = 0; i < machine.thread_count; ++i) {
    if (machine.threads[i].state == State::at_warp) {
      const uint32_t first = i / kWarpLanes * kWarpLanes;
      report_waiting(machine.warps[i / kWarpLanes], &machine.threads[first], i);
    }
  }
}

}  // namespace plumb::simt
