#include "core/machine/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace plumb {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Cpu cpu_of(const std::string& text) {
  const std::string path = ::testing::TempDir() + "plumb_cpuinfo";
  std::ofstream(path) << text;
  return read_cpu(path);
}

TEST(Cpu, NameAndInstructionSetsAreThoseOfTheFirstCore) {
  const Cpu cpu = cpu_of(
      "processor\t: 0\nmodel name\t: A fine CPU\nflags\t\t: fpu avx2 avx512f xavx512_bf16 fma\n\n"
      "processor\t: 1\nmodel name\t: Another\nflags\t\t: fpu avx512_bf16\n");
  EXPECT_EQ(cpu.name, "A fine CPU");
  EXPECT_THAT(cpu.has, ElementsAre("avx2", "fma", "avx512f"));
}

TEST(Cpu, WhatTheBuildNeedsAndTheCpuLacksIsMissing) {
#ifdef __AVX2__
  EXPECT_THAT(cpu_of("flags : fpu\n").missing, Contains("avx2"));
#endif
  if (std::filesystem::exists("/proc/cpuinfo")) {
    EXPECT_THAT(read_cpu().missing, IsEmpty());  // or this would not run
  }
}

TEST(Cpu, AFileThatSaysNothingIsNoError) {
  const Cpu cpu = cpu_of("");
  EXPECT_EQ(cpu.name, "");
  EXPECT_GE(cpu.cores, 1);
}

}  // namespace
}  // namespace plumb
