#include "bench/kernels/ptxas.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/error.h"

namespace plumb::kernels {
namespace {

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? plain.get() : name;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
  }
}

// The number that stands before `words`, -1 where they do not.
int64_t number_before(const std::string& line, const std::string& words) {
  const size_t end = line.find(words);
  if (end == std::string::npos || end == 0) {
    return -1;
  }
  const size_t begin = line.find_last_not_of("0123456789", end - 1);
  const std::string digits = line.substr(begin + 1, end - begin - 1);
  return digits.empty() ? -1 : std::stoll(digits);
}

void read_log(const std::filesystem::path& file, ResourceMap& all) {
  std::ifstream in(file);
  Resources* current = nullptr;
  for (std::string line; std::getline(in, line);) {
    const std::string opening = "Compiling entry function '";
    if (const size_t at = line.find(opening); at != std::string::npos) {
      const size_t begin = at + opening.size(), end = line.find('\'', begin);
      const size_t arch = line.find("'sm_", end) + 1;
      current = &all[line.substr(arch, line.find('\'', arch) - arch)]
                    [kernel_key(demangled(line.substr(begin, end - begin)))];
    } else if (current != nullptr && line.find(" bytes stack frame") != std::string::npos) {
      current->stack_bytes = number_before(line, " bytes stack frame");
      current->spill_bytes =
          number_before(line, " bytes spill stores") + number_before(line, " bytes spill loads");
    } else if (current != nullptr && number_before(line, " registers") >= 0) {
      current->registers = number_before(line, " registers");
    }
  }
}

int64_t rounded_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

std::string kernel_key(const std::string& function) {
  std::string key = function.starts_with("void ") ? function.substr(5) : function;
  replace_all(key, "plumb::simt::__nv_bfloat16", "__nv_bfloat16");
  const std::string unnamed = "(anonymous namespace)";
  int depth = 0;
  for (size_t at = 0; at < key.size(); ++at) {
    if (key.compare(at, unnamed.size(), unnamed) == 0) {
      at += unnamed.size() - 1;
      continue;
    }
    depth += key[at] == '<' ? 1 : key[at] == '>' ? -1 : 0;
    if (key[at] == '(' && depth == 0) {
      return key.substr(0, at);
    }
  }
  return key;
}

ResourceMap read_ptxas(const std::string& folder) {
  ResourceMap all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(".ptxas.txt")) {
      read_log(entry.path(), all);
    }
  }
  if (all.empty()) {
    throw Error(folder + ": no *.ptxas.txt with ptxas' report of a kernel; build libplumb_cuda.so",
                Exit::usage);
  }
  return all;
}

double occupancy(const Multiprocessor& sm, int64_t threads, int64_t registers,
                 int64_t shared_bytes) {
  constexpr int64_t kWarps = 64, kBlocks = 32, kRegisters = 65536, kReserved = 1024;
  const int64_t warps = (threads + 31) / 32;
  const int64_t of_warp = rounded_up(registers * 32, 256);
  int64_t blocks = std::min(kBlocks, kWarps / warps);
  if (registers > 0) {
    blocks = std::min(blocks, kRegisters / of_warp / warps);
  }
  blocks = std::min(blocks, sm.shared_bytes / (rounded_up(shared_bytes, 128) + kReserved));
  return static_cast<double>(blocks * warps) / kWarps;
}

}  // namespace plumb::kernels
