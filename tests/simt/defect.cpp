#include "tests/simt/defect.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "tests/simt/source_line.h"

namespace plumb::simt {
namespace {

using Key = std::tuple<DefectKind, const void*, const void*>;

std::vector<Defect> found;
std::set<Key> seen;

int first_line(const void* pc) {
  const auto& lines = source_lines(pc);
  return lines.empty() ? 0 : lines.front().line;
}

std::string place_text(const Place& place) {
  return place.what + " by thread " + std::to_string(place.thread) + " of block " +
         std::to_string(place.block) + " at " + source_text(place.pc);
}

}  // namespace

const char* defect_name(DefectKind kind) {
  switch (kind) {
    case DefectKind::race:
      return "race in a block";
    case DefectKind::block_race:
      return "race between blocks";
    case DefectKind::divergent_barrier:
      return "divergent barrier";
    case DefectKind::warp_mask:
      return "wrong warp mask";
    case DefectKind::deadlock:
      return "deadlock";
    case DefectKind::out_of_bounds:
      return "out of bounds";
    case DefectKind::use_after_free:
      return "use after free";
    case DefectKind::misaligned:
      return "misaligned";
    case DefectKind::uninitialised:
      return "uninitialised read";
    case DefectKind::unordered_bits:
      return "bits depend on the schedule";
    case DefectKind::launch:
      return "launch refused";
  }
  return "defect";
}

std::string Defect::text() const {
  std::string text = kernel + ": " + defect_name(kind);
  if (!detail.empty()) {
    text += ": " + detail;
  }
  if (at.pc != nullptr) {
    text += ": " + place_text(at);
  }
  if (other) {
    text += ", " + place_text(*other);
  }
  return text;
}

int Defect::line() const {
  return first_line(at.pc);
}
int Defect::other_line() const {
  return other ? first_line(other->pc) : 0;
}

void report(Defect defect) {
  constexpr size_t kMost = 100;
  const Key key{defect.kind, defect.at.pc, defect.other ? defect.other->pc : nullptr};
  if (found.size() < kMost && seen.insert(key).second) {
    found.push_back(std::move(defect));
  }
}

void report_launch(DefectKind kind, const std::string& kernel, std::string detail) {
  Defect defect;
  defect.kind = kind;
  defect.kernel = kernel;
  defect.detail = std::move(detail);
  report(std::move(defect));
}

std::vector<Defect> take_defects() {
  seen.clear();
  return std::exchange(found, {});
}

}  // namespace plumb::simt
