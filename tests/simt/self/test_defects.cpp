// Each kind of defect in a small kernel, reported at its line; its sound twin, silent.
#include <gmock/gmock.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/simt/device_buffer.h"
#include "tests/simt/self/defects.h"
#include "tests/simt/self/marked_line.h"

namespace plumb::simt {
namespace {

struct Case {
  std::string name;
  DefectKind kind;
  std::function<void(Twin)> body;
  std::string file;
  std::string mark, other_mark;  // other: "" if the defect has one side
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

template <class T>
std::function<void(Twin)> into(void (*launcher)(Twin, T*), int64_t count) {
  return [=](Twin twin) {
    DeviceBuffer<T> out(std::vector<T>(static_cast<size_t>(count)), "out");
    launcher(twin, out.data());
  };
}

template <class T>
std::function<void(Twin)> counted(void (*launcher)(Twin, T*, int64_t), int64_t count) {
  return [=](Twin twin) {
    DeviceBuffer<T> out(count, "out");
    launcher(twin, out.data(), count);
  };
}

void copy_of_freed(Twin twin) {
  DeviceBuffer<float> in(std::vector<float>(64), "in"), out(64, "out");
  if (twin == Twin::broken) {
    in.free();
  }
  copy_values(in.data(), out.data(), 64);
}

void copy_of_nothing(Twin twin) {
  DeviceBuffer<float> empty(64, "empty"), full(std::vector<float>(64), "full"), out(64, "out");
  copy_values(twin == Twin::broken ? empty.data() : full.data(), out.data(), 64);
}

void async(Twin twin) {
  DeviceBuffer<float> in(std::vector<float>(64, 1.0f), "in"), out(64, "out");
  early_async_read(twin, in.data(), out.data());
}

void dynamic(Twin twin) {
  DeviceBuffer<float> out(100, "out");
  double_dynamic(100, out.data(), twin == Twin::broken ? 99 * 4 : 100 * 4);
}

using enum DefectKind;
const std::vector<Case> kCases = {
    {"shared_write_read", race, into(shared_write_read, 64), "races.cu", "write_read.read",
     "write_read.write"},
    {"shared_write_write", race, into(shared_write_write, 64), "races.cu", "write_write",
     "write_write"},
    {"read_then_write", race, into(read_then_write, 64), "races.cu", "read_write.write",
     "read_write.read"},
    {"global_in_block", race, into(global_in_block, 64), "races.cu", "global.read", "global.write"},
    {"warp_exchange", race, into(warp_exchange, 64), "races.cu", "exchange.read", "exchange.write"},
    {"partial_warp_sync", race, into(partial_warp_sync, 64), "races.cu", "partial.read",
     "partial.write"},
    {"partial_warp_sync_late", race, into(partial_warp_sync_late, 64), "races.cu", "late.read",
     "late.write"},
    {"between_blocks", block_race, into(between_blocks, 64), "races.cu", "blocks", "blocks"},
    {"read_of_other_block", block_race, into(read_of_other_block, 64), "races.cu",
     "other_block.read", "other_block.write"},
    {"atomic_and_plain", race, into(atomic_and_plain, 64), "races.cu", "atomic.read",
     "atomic.update"},
    {"float_atomics", unordered_bits, into(float_atomics, 1), "", "", ""},
    {"exact_float_atomics", unordered_bits, into(exact_float_atomics, 1), "", "", ""},
    {"order_of_atomics", unordered_bits, into(order_of_atomics, 64), "", "", ""},
    {"barrier_in_branch", divergent_barrier, into(barrier_in_branch, 64), "barriers.cu", "branch",
     ""},
    {"two_barriers", divergent_barrier, into(two_barriers, 64), "barriers.cu", "two.first",
     "two.second"},
    {"uneven_loop", divergent_barrier, into(uneven_loop, 64), "barriers.cu", "uneven", "uneven"},
    {"early_return", divergent_barrier, into(early_return, 64), "barriers.cu", "early.waits",
     "early.last"},
    {"lane_not_named", warp_mask, into(lane_not_named, 64), "barriers.cu", "not_named", ""},
    {"lane_left", warp_mask, into(lane_left, 64), "barriers.cu", "left", ""},
    {"masks_differ", warp_mask, into(masks_differ, 64), "barriers.cu", "masks", "masks"},
    {"source_not_named", warp_mask, into(source_not_named, 64), "barriers.cu", "source", ""},
    {"two_shuffles", warp_mask, into(two_shuffles, 64), "barriers.cu", "shuffles.first",
     "shuffles.second"},
    {"barrier_against_shuffle", deadlock, into(barrier_against_shuffle, 64), "barriers.cu",
     "deadlock.shuffle", "deadlock.barrier"},
    {"past_end", out_of_bounds, counted(past_end, 50), "bounds.cu", "past_end", ""},
    {"before_begin", out_of_bounds, into(before_begin, 64), "bounds.cu", "before_begin", ""},
    {"past_shared", out_of_bounds, into(past_shared, 64), "bounds.cu", "past_shared", ""},
    {"null_pointer", out_of_bounds, into(null_pointer, 64), "bounds.cu", "null", ""},
    {"vector_tail", out_of_bounds, counted(vector_tail, 50), "bounds.cu", "tail", ""},
    {"dynamic", out_of_bounds, dynamic, "bounds.cu", "dynamic", ""},
    {"misaligned_vector", misaligned, into(misaligned_vector, 8), "bounds.cu", "misaligned", ""},
    {"use_after_free", use_after_free, copy_of_freed, "bounds.cu", "copy", ""},
    {"shared_not_written", uninitialised, into(shared_not_written, 64), "bounds.cu", "not_written",
     ""},
    {"global_not_written", uninitialised, copy_of_nothing, "bounds.cu", "copy", ""},
    {"early_async_read", uninitialised, async, "bounds.cu", "async", ""},
};

class Defects : public testing::TestWithParam<Case> {};

const Defect* first_of(const Outcome& outcome, DefectKind kind) {
  for (const Defect& defect : outcome.defects) {
    if (defect.kind == kind) {
      return &defect;
    }
  }
  return nullptr;
}

TEST_P(Defects, IsReportedAtItsLine) {
  const Case& test = GetParam();
  const Outcome outcome = run([&] { test.body(Twin::broken); });
  const Defect* const defect = first_of(outcome, test.kind);
  ASSERT_NE(defect, nullptr) << "found instead:\n" << outcome.text();
  if (test.mark.empty()) {
    return;
  }
  EXPECT_THAT(outcome.text(), testing::HasSubstr("tests/simt/self/" + test.file));
  const int line = marked_line(test.file, test.mark);
  if (test.other_mark.empty()) {
    EXPECT_EQ(defect->line(), line) << outcome.text();
  } else {  // which of the two sides comes first is the schedule's choice
    EXPECT_THAT((std::vector<int>{defect->line(), defect->other_line()}),
                testing::UnorderedElementsAre(line, marked_line(test.file, test.other_mark)))
        << outcome.text();
  }
}

TEST_P(Defects, TheSoundTwinIsSilent) {
  const Outcome outcome = run([&] { GetParam().body(Twin::sound); });
  EXPECT_TRUE(outcome.clean()) << outcome.text();
  EXPECT_FALSE(outcome.launches.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, Defects, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace plumb::simt
