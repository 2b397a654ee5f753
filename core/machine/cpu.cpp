#include "core/machine/cpu.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace plumb {
namespace {

// Fastest last.
constexpr const char* kKernelsChooseBetween[] = {"avx2",        "fma",         "avx512f",
                                                 "avx512_vnni", "avx512_bf16", "amx_bf16"};

// Of those that a compiler with -march=native uses by itself.
std::vector<std::string> built_for() {
  std::vector<std::string> names;
#ifdef __AVX2__
  names.emplace_back("avx2");
#endif
#ifdef __FMA__
  names.emplace_back("fma");
#endif
#ifdef __AVX512F__
  names.emplace_back("avx512f");
#endif
#ifdef __AVX512VNNI__
  names.emplace_back("avx512_vnni");
#endif
#ifdef __AVX512BF16__
  names.emplace_back("avx512_bf16");
#endif
  return names;
}

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// What follows "key : " in the file's first such line.
std::string value_of(std::istream& file, const std::string& key) {
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

Cpu read_cpu(const std::string& cpuinfo) {
  Cpu cpu;
  cpu.cores = usable_cores();
  std::ifstream names(cpuinfo);
  cpu.name = value_of(names, "model name");
  std::ifstream sets(cpuinfo);
  std::istringstream words(value_of(sets, "flags"));
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  for (const char* name : kKernelsChooseBetween) {
    if (flags.contains(name)) cpu.has.emplace_back(name);
  }
  for (const std::string& name : built_for()) {
    if (!flags.contains(name)) cpu.missing.push_back(name);
  }
  return cpu;
}

}  // namespace plumb
