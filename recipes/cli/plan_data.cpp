#include "recipes/cli/plan_data.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "core/data/input_file.h"
#include "core/data/raw_rows.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/train/human.h"

namespace plumb {
namespace {

constexpr int64_t kRowsLookedAt = 1000;
constexpr int64_t kBytesCounted = int64_t{64} << 20;
// Byte-level BPE on English: 3.5 to 4.5, fewer with small vocabularies.
constexpr double kBytesAToken = 3.5;

DataRequest request_of(const DataNeed& need) {
  DataRequest request;
  request.kind = need.kind;
  request.context = need.context;
  request.is_text_to_text = need.is_text_to_text;
  request.seed = static_cast<std::uint64_t>(need.run.seed);
  request.threads = static_cast<int>(need.run.threads);
  return request;
}

plan::DataShape shape_of(const Dataset& data, SampleKind kind) {
  plan::DataShape shape;
  std::vector<int64_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), int64_t{0});
  shape.lengths = data.lengths(all);
  shape.samples = data.size();
  shape.sequences = kind == SampleKind::preference ? 2 : 1;
  return shape;
}

void add_shares(const Accounting& accounting, const DataNeed& need, plan::DataShape& shape) {
  const double tokens = static_cast<double>(std::max<int64_t>(1, accounting.tokens));
  shape.trained_share = static_cast<double>(accounting.trained_tokens) / tokens;
  if (need.is_text_to_text) shape.source_share = 1 - shape.trained_share;
}

PlanData from(const PreparedData& prepared, const DataNeed& need) {
  PlanData data{shape_of(prepared.train, need.kind), std::nullopt};
  add_shares(prepared.accounting(), need, data.train);
  if (prepared.validation) {
    data.held_out = shape_of(*prepared.validation, need.kind);
    add_shares(prepared.validation->store().accounting(), need, *data.held_out);
  }
  return data;
}

struct RowCount {
  double rows = 0;
  double bytes = 0;  // of the files
  bool is_exact = true;
};

// Rows of a file's beginning, and of the rest by its size.
RowCount count_rows(const std::string& path, const std::string& separator) {
  const auto file = std::make_shared<InputFile>(path);
  const RowSource source = open_rows(file, separator);
  RowCount count;
  count.bytes = static_cast<double>(file_stamp(path).bytes);
  RawRow row;
  while (source.next(row)) {
    count.rows += row.ends_row ? 1 : 0;
    if (file->bytes_consumed() < kBytesCounted) continue;
    count.is_exact = false;
    count.rows *= count.bytes / static_cast<double>(file->bytes_consumed());
    break;
  }
  return count;
}

RowCount count_rows(const DataNeed& need, const std::vector<std::string>& paths) {
  RowCount all;
  for (const std::string& path : paths) {
    const RowCount one = count_rows(path, need.data.document_separator);
    all.rows += one.rows;
    all.bytes += one.bytes;
    all.is_exact = all.is_exact && one.is_exact;
  }
  const auto limit = static_cast<double>(need.data.limit);
  if (limit > 0 && limit < all.rows) {
    all.bytes *= limit / all.rows;
    all.rows = limit;
  }
  return all;
}

struct TemporaryFolder {
  std::string path =
      (std::filesystem::temp_directory_path() / ("plumb-plan-" + std::to_string(getpid())))
          .string();
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

void scale(plan::DataShape& shape, double factor) {
  shape.samples =
      std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(shape.samples) * factor + 0.5));
}

// The first rows, tokenised as all will be.
PlanData from_a_part(const DataNeed& need, const Tokenizer& tokenizer) {
  const RowCount rows = count_rows(need, need.data.path);
  const TemporaryFolder folder;
  DataOptions options = need.data;
  options.store = folder.path;
  options.limit = std::min(kRowsLookedAt, static_cast<int64_t>(std::max(1.0, rows.rows)));
  const PreparedData prepared = open_or_prepare(options, tokenizer, request_of(need));
  PlanData data = from(prepared, need);
  const double read = static_cast<double>(prepared.accounting().rows_read);
  const bool is_all = rows.is_exact && read >= rows.rows;
  data.train.is_exact = is_all;
  data.train.how = is_all ? "all " + human_count(rows.rows) + " rows, tokenised for this plan"
                          : "the first " + human_count(read) + " of " +
                                (rows.is_exact ? "" : "about ") + human_count(rows.rows) +
                                " rows tokenised, the rest taken to be like them";
  scale(data.train, rows.rows / read);
  if (data.held_out && need.data.validation.empty()) scale(*data.held_out, rows.rows / read);
  return data;
}

int64_t length_limit(const DataNeed& need) {
  return need.data.max_length > 0 ? need.data.max_length : need.context;
}

// Without a tokenizer: rows and bytes alone.
PlanData from_sizes(const DataNeed& need) {
  const RowCount rows = count_rows(need, need.data.path);
  const double limit = static_cast<double>(length_limit(need));
  const double tokens = rows.bytes / kBytesAToken;
  const double of_row = std::max(2.0, tokens / std::max(1.0, rows.rows));
  PlanData data;
  // Documents are divided into windows, other rows are cut.
  const double samples =
      need.kind == SampleKind::text ? rows.rows * std::ceil(of_row / limit) : rows.rows;
  data.train.samples = std::max<int64_t>(1, static_cast<int64_t>(samples));
  data.train.lengths = {static_cast<int64_t>(std::min({limit, of_row, tokens / samples + 1}))};
  data.train.sequences = need.kind == SampleKind::preference ? 2 : 1;
  data.train.how = human_count(rows.rows) +
                   " rows; no tokenizer yet, so a token is taken as 3.5 "
                   "bytes";
  if (need.data.validation_fraction > 0) {
    data.held_out = data.train;
    scale(*data.held_out, need.data.validation_fraction);
    scale(data.train, 1 - need.data.validation_fraction);
  }
  return data;
}

PlanData from_nothing(const DataNeed& need) {
  PlanData data;
  data.train.lengths = {length_limit(need)};
  data.train.how =
      "the data are not there yet: samples are taken to be as long as they may be, "
      "their number is not known";
  return data;
}

}  // namespace

PlanData look_at_data(const DataNeed& need, const Tokenizer* tokenizer) {
  for (const std::string& path : need.data.path) {
    if (!files::exists(path)) return from_nothing(need);
  }
  if (tokenizer == nullptr) return from_sizes(need);
  const auto ready = open_if_ready(need.data, *tokenizer, request_of(need));
  if (!ready) return from_a_part(need, *tokenizer);
  PlanData data = from(*ready, need);
  data.train.is_exact = true;
  data.train.how = "the prepared store " + ready->train.store().path();
  return data;
}

}  // namespace plumb
