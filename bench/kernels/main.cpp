// The table of kernels and its gates.
//   bench_kernels write FILE.csv [PTXAS]   measures every case and writes the table
//   bench_kernels check FILE.csv [PTXAS]   measures; ends with 1 where a gate is missed without a
//                                          reason, with 2 where the table has other rows
//   bench_kernels spills PTXAS             ends with 1 where a kernel spills registers
//   bench_kernels gpu FOLDER               times every case on the GPU, as CSV on stdout, with the
//                                          libplumb_cuda.so of FOLDER
// PTXAS: the folder of nvcc's reports (*.ptxas.txt, cmake/cuda.cmake). Without it, registers come
// from FILE.csv.
#include <cstdio>
#include <exception>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "bench/kernels/gates.h"
#include "bench/kernels/gpu_run.h"
#include "bench/kernels/table.h"
#include "core/error.h"
#include "core/io/files.h"

namespace plumb::kernels {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<Row> all_rows(const std::string& csv, const std::string& ptxas_folder) {
  const ResourceMap resources = ptxas_folder.empty() ? ResourceMap{} : read_ptxas(ptxas_folder);
  std::vector<Row> rows;
  for (const KernelCase& one : all_cases(Size::harness)) {
    rows.push_back(measured(one, *plumb_kernel_table(), resources));
  }
  if (ptxas_folder.empty()) {
    take_resources(csv, rows);
  }
  return rows;
}

// A new entry of the table of launchers needs a case.
void check_complete(const std::vector<Row>& rows) {
  constexpr size_t kEntries = sizeof(KernelTable) / sizeof(void*) - 1;
  std::set<std::string> measured_kernels;
  for (const Row& row : rows) {
    measured_kernels.insert(row.kernel.substr(0, row.kernel.find(' ')));
  }
  if (measured_kernels.size() != kEntries) {
    throw Error(std::to_string(measured_kernels.size()) + " kernels have a case, the table has " +
                    std::to_string(kEntries) + ": write those that are missing (bench/kernels)",
                Exit::failed);
  }
}

int failures(const std::vector<Row>& rows) {
  int failed = 0;
  for (const Row& row : rows) {
    const Verdict verdict = verdict_of(row);
    if (verdict.text == "FAIL") {
      ++failed;
      std::printf(
          "%s, %s, %s: %s (error %.2f of ATen's, bytes %.3f, sectors %.3f, conflicts %.3f)\n",
          row.kernel.c_str(), row.shape.c_str(), row.dtype.c_str(), verdict.reason.c_str(),
          row.error_ratio, row.bytes_ratio(), row.sector_efficiency, row.conflict_factor);
    }
  }
  std::printf("%zu rows, %d miss a gate without a reason\n", rows.size(), failed);
  return failed;
}

// Every kernel of every file, also those that no case launches.
int check_spills(const std::string& ptxas_folder) {
  int spilling = 0, kernels = 0;
  for (const auto& [arch, of_arch] : read_ptxas(ptxas_folder)) {
    for (const auto& [kernel, resources] : of_arch) {
      ++kernels;
      if (resources.spill_bytes > 0) {
        ++spilling;
        std::printf("%s, %s: %lld bytes spilled\n", kernel.c_str(), arch.c_str(),
                    static_cast<long long>(resources.spill_bytes));
      }
    }
  }
  std::printf("%d kernels, %d spill\n", kernels, spilling);
  return spilling == 0 ? 0 : 1;
}

int run(int count, char** words) {
  const std::string verb = count > 2 ? words[1] : "", file = count > 2 ? words[2] : "";
  const std::string ptxas = count > 3 ? words[3] : "";
  if (verb == "gpu") {
    return time_on_gpu(file);
  }
  if (verb == "spills") {
    return check_spills(file);
  }
  if (verb != "write" && verb != "check") {
    throw Error("usage: bench_kernels write|check FILE.csv [PTXAS], spills PTXAS, or gpu FOLDER",
                Exit::usage);
  }
  const std::vector<Row> rows = all_rows(text_of(file), ptxas);
  check_complete(rows);
  if (verb == "write") {
    files::publish(file, csv_of(rows));
  } else {
    check_rows(text_of(file), rows);
  }
  return failures(rows) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace plumb::kernels

int main(int count, char** words) {
  try {
    return plumb::kernels::run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_kernels: %s\n", error.what());
    return 2;
  }
}
