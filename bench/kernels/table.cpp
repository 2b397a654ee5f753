#include "bench/kernels/table.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>

#include "bench/kernels/gates.h"
#include "core/error.h"

namespace plumb::kernels {
namespace {

constexpr const char* kHeader =
    "kernel,shape,dtype,error,aten_error,error_ratio,unique_bytes,floor_bytes,bytes_ratio,"
    "requested_ratio,sector_efficiency,conflict_factor,registers_sm_80,registers_sm_90,spill_bytes,"
    "occupancy_sm_80,occupancy_sm_90,predicted_us_h100,predicted_us_h200,predicted_for,gates,"
    "reason";

std::string number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

// Empty where nvcc has not said.
std::string known(int64_t value) {
  return value < 0 ? "" : std::to_string(value);
}

std::string quoted(const std::string& text) {
  std::string cell = text;
  if (cell.find(',') != std::string::npos) {
    cell.insert(cell.begin(), '"');
    cell.push_back('"');
  }
  return cell;
}

std::string line_of(const Row& row) {
  const Verdict verdict = verdict_of(row);
  const bool has_resources = row.sm_80.registers >= 0;
  const auto occupancy = [&](const OfArch& of) {
    return has_resources ? number(of.occupancy, "%.3f") : "";
  };
  const std::vector<std::string> cells{
      row.kernel,
      row.shape,
      row.dtype,
      number(row.error, "%.2e"),
      number(row.aten_error, "%.2e"),
      number(row.error_ratio, "%.2f"),
      number(row.unique_bytes, "%.0f"),
      number(row.floor, "%.0f"),
      number(row.bytes_ratio(), "%.3f"),
      number(row.requested_bytes / row.floor, "%.2f"),
      number(row.sector_efficiency, "%.3f"),
      number(row.conflict_factor, "%.3f"),
      known(row.sm_80.registers),
      known(row.sm_90.registers),
      has_resources ? known(std::max(row.sm_80.spill_bytes, row.sm_90.spill_bytes)) : "",
      occupancy(row.sm_80),
      occupancy(row.sm_90),
      number(row.h100_us, "%.1f"),
      number(row.h200_us, "%.1f"),
      row.predicted_for,
      verdict.text,
      verdict.reason};
  std::string line;
  for (const std::string& cell : cells) {
    if (!line.empty()) {
      line += ',';
    }
    line += quoted(cell);
  }
  return line;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

std::string key_of(const std::string& kernel, const std::string& shape, const std::string& dtype) {
  return kernel + " | " + shape + " | " + dtype;
}
std::string key_of(const Row& row) {
  return key_of(row.kernel, row.shape, row.dtype);
}

enum Column { kRegisters80 = 12, kRegisters90, kSpills, kOccupancy80, kOccupancy90, kColumns = 22 };

// Cells of a table's rows by key; none where its columns are others.
using Lines = std::map<std::string, std::vector<std::string>>;
Lines lines_of(const std::string& csv) {
  Lines rows;
  std::istringstream in(csv);
  std::string line;
  std::getline(in, line);
  if (line != kHeader) {
    return rows;
  }
  while (std::getline(in, line)) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() == kColumns) {
      rows[key_of(cells[0], cells[1], cells[2])] = cells;
    }
  }
  return rows;
}

}  // namespace

std::string csv_of(const std::vector<Row>& rows) {
  std::string text = std::string(kHeader) + "\n";
  for (const Row& row : rows) {
    text += line_of(row) + "\n";
  }
  return text;
}

void take_resources(const std::string& csv, std::vector<Row>& rows) {
  const Lines known_rows = lines_of(csv);
  for (Row& row : rows) {
    const auto found = known_rows.find(key_of(row));
    if (found != known_rows.end() && !found->second[kRegisters80].empty()) {
      const std::vector<std::string>& cells = found->second;
      const int64_t spills = std::stoll(cells[kSpills]);
      row.sm_80 = {std::stoll(cells[kRegisters80]), spills, std::stod(cells[kOccupancy80])};
      row.sm_90 = {std::stoll(cells[kRegisters90]), spills, std::stod(cells[kOccupancy90])};
    }
  }
}

void check_rows(const std::string& csv, const std::vector<Row>& rows) {
  const Lines known_rows = lines_of(csv);
  const std::string advice = ": make it anew with bench/kernels.sh";
  for (const Row& row : rows) {
    if (known_rows.count(key_of(row)) == 0) {
      throw Error("bench/kernels.csv has no row of " + key_of(row) + advice);
    }
  }
  if (known_rows.size() != rows.size()) {
    throw Error("bench/kernels.csv has " + std::to_string(known_rows.size()) +
                " rows, the cases are " + std::to_string(rows.size()) + advice);
  }
}

}  // namespace plumb::kernels
