// Which accesses are ordered, and what a Cell remembers of them. Ordered are: accesses of one
// thread; of one block with a block barrier between; of one warp with a __syncwarp of both lanes
// between (vector clocks of the lanes); of different launches. Two accesses conflict when they are
// not ordered, one writes, and not both are atomic.
#pragma once
#include "tests/simt/machine.h"
#include "tests/simt/memory.h"

namespace plumb::simt {

enum class AccessKind : uint8_t { read, write, atomic };

struct Conflict {
  bool found = false;
  bool is_write = false;  // the earlier access
  Mark mark;
};

inline Mark mark_now(uint32_t site, AccessKind kind) {
  Mark mark;
  mark.stamp = machine.stamp;
  mark.thread = machine.number;
  mark.is_atomic = kind == AccessKind::atomic;
  mark.clock = machine.warp->seen[machine.lane][machine.lane];
  mark.site = site;
  return mark;
}

inline bool is_ordered(const Mark& before, bool is_shared) {
  if (before.stamp < (is_shared ? machine.block_stamp : machine.launch_stamp)) {
    return true;
  }
  if (before.stamp < machine.block_stamp) {
    return false;
  }
  if (before.stamp < machine.stamp || before.thread == machine.number) {
    return true;
  }
  return before.thread / kWarpLanes == machine.number / kWarpLanes &&
         before.clock <= machine.warp->seen[machine.lane][before.thread % kWarpLanes];
}

inline Conflict touch_read(Cell& cell, const Mark& mark, bool is_shared) {
  Conflict conflict;
  if (!is_ordered(cell.write, is_shared)) {
    conflict = {true, true, cell.write};
  }
  if (is_ordered(cell.read, is_shared)) {
    cell.read = mark;
  } else if (is_ordered(cell.other_read, is_shared) ||
             cell.other_read.thread / kWarpLanes == cell.read.thread / kWarpLanes) {
    cell.other_read = mark;
  }
  return conflict;
}

inline Conflict touch_write(Cell& cell, const Mark& mark, bool is_shared) {
  Conflict conflict;
  if (!is_ordered(cell.write, is_shared) && !(cell.write.is_atomic && mark.is_atomic)) {
    conflict = {true, true, cell.write};
  } else if (!is_ordered(cell.read, is_shared)) {
    conflict = {true, false, cell.read};
  } else if (!is_ordered(cell.other_read, is_shared)) {
    conflict = {true, false, cell.other_read};
  }
  cell.write = mark;
  cell.read = cell.other_read = {};
  return conflict;
}

// An access that no instruction of the kernel makes: a landing async copy.
void touch_device(const void* address, uint32_t bytes, AccessKind kind, const void* pc);

}  // namespace plumb::simt
