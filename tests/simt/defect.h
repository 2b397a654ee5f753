// What the harness finds wrong with a kernel.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plumb::simt {

enum class DefectKind {
  race,               // two threads of a block, one writes, nothing orders them
  block_race,         // two blocks of a launch, one writes
  divergent_barrier,  // threads meet at different barriers, or some have left the kernel
  warp_mask,          // a lane named in the mask that does not come, or one that is not named
  deadlock,           // nobody can go on
  out_of_bounds,      // no buffer there, or past the end of one
  use_after_free,
  misaligned,
  uninitialised,
  unordered_bits,  // float atomics in a kernel declared deterministic, or bits that changed
  launch           // a launch the device would refuse
};
const char* defect_name(DefectKind kind);

// One side: who did it and where.
struct Place {
  const void* pc = nullptr;  // return address of the access or call
  uint64_t block = 0;        // index in the grid
  uint32_t thread = 0;       // index in the block
  std::string what;          // "written", "waits", ...
};

struct Defect {
  DefectKind kind = DefectKind::launch;
  std::string kernel;
  Place at;
  std::optional<Place> other;
  std::string detail;  // buffer, offset, rule

  std::string text() const;  // one line that names both places
  int line() const;          // of the source, 0 if unknown
  int other_line() const;
};

// Defects of the run so far; the same kind at the same two places is kept once.
void report(Defect defect);
void report_launch(DefectKind kind, const std::string& kernel, std::string detail);
std::vector<Defect> take_defects();

}  // namespace plumb::simt
