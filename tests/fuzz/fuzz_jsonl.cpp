// A byte that chooses, and the bytes of a data file (.jsonl, .json, .txt): rows that parse, or
// plumb::Error, row by row and for the file. No row is longer than its limit.
#include <cstdlib>
#include <memory>
#include <optional>

#include "core/data/raw_rows.h"
#include "core/data/records.h"
#include "core/error.h"
#include "tests/fuzz/fuzz_files.h"

namespace {

using plumb::FuzzFile;
using plumb::SampleKind;

constexpr plumb::RowLimits kLimits = {.max_row_bytes = 2000, .max_piece_bytes = 50};
constexpr std::size_t kUtf8Slack = 4;  // a piece is not cut inside a character

class Rows {
 public:
  explicit Rows(SampleKind kind) : kind_(kind) {}

  void take(const plumb::RawRow& row) {
    if (!row.fault.empty()) return;
    if (row.where.empty() || row.bytes.size() > kLimits.max_row_bytes) std::abort();
    try {
      const plumb::Json json = plumb::parse_json(row.bytes, row.where);
      if (!format_) {
        format_ = plumb::choose_row_format(options_, kind_, json, row.where);
      }
      plumb::RowPlan plan{kind_, *format_, plumb::ChatFormat::chatml, options_.columns};
      if (plumb::has_transcripts(json, plan) || plumb::has_message_lists(json, plan)) {
        plan.chat = plumb::ChatFormat::plain;
      }
      plumb::read_record(json, plan, row.where);
    } catch (const plumb::Error&) {
    }
  }

 private:
  SampleKind kind_;
  plumb::DataOptions options_;
  std::optional<plumb::RowFormat> format_;
};

void take_piece(const plumb::RawRow& row) {
  if (row.bytes.size() > kLimits.max_piece_bytes + kUtf8Slack) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const plumb::FuzzFolder folder;
  static const FuzzFile lines(folder, "a.jsonl"), array(folder, "a.json"), text(folder, "a.txt");
  static const FuzzFile* const files[] = {&lines, &lines, &array, &text};
  static constexpr SampleKind kKinds[] = {SampleKind::text, SampleKind::conversation,
                                          SampleKind::preference, SampleKind::prompt};
  if (size == 0) return 0;
  const FuzzFile& file = *files[data[0] % 4];
  file.fill({reinterpret_cast<const char*>(data) + 1, size - 1});
  Rows rows(kKinds[data[0] / 4 % 4]);
  try {
    const auto source =
        plumb::open_rows(std::make_shared<plumb::InputFile>(file.path()), "<|end|>", kLimits);
    for (plumb::RawRow row; source.next(row);) {
      if (source.kind == plumb::RawKind::json) {
        rows.take(row);
      } else {
        take_piece(row);
      }
    }
  } catch (const plumb::Error&) {
  }
  return 0;
}
