#include "bench/kernels/measure.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tests/simt/source_line.h"

namespace plumb::kernels {
namespace {

Tensors in_f64(const Tensors& tensors) {
  Tensors wide;
  for (const at::Tensor& tensor : tensors) {
    wide.push_back(tensor.is_floating_point() ? tensor.to(at::kDouble) : tensor);
  }
  return wide;
}

// Below this an error is the rounding of the result itself: half a unit in the last place at most.
double rounding_of(const at::Tensor& output) {
  return output.scalar_type() == at::kBFloat16 ? 0x1p-9 : 0x1p-25;
}

// Of the outputs, the one that does worst beside ATen.
void put_errors(const KernelCase& one, const Tensors& outputs, Row& row) {
  const Tensors want = one.aten(in_f64(one.inputs)), aten = one.aten(one.inputs);
  if (outputs.size() != want.size()) {
    throw Error(one.kernel + ": " + std::to_string(outputs.size()) + " outputs, ATen has " +
                    std::to_string(want.size()),
                Exit::failed);
  }
  row.error_ratio = -1;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const double error = relative_error(outputs[i], want[i]);
    const double of_aten = relative_error(aten[i], want[i]);
    const double ratio = error / std::max(of_aten, rounding_of(outputs[i]));
    if (!(ratio <= row.error_ratio)) {
      row.error = error;
      row.aten_error = of_aten;
      row.error_ratio = ratio;
    }
  }
}

OfArch resources_of(const HarnessRun& run, const Multiprocessor& sm, const ResourceMap& all) {
  OfArch most;
  const auto of_arch = all.find(sm.arch);
  if (of_arch == all.end()) {
    return most;
  }
  most.occupancy = 1;
  most.spill_bytes = 0;
  for (const simt::LaunchRecord& launch : run.launches) {
    const std::string key = kernel_key(simt::function_name(launch.code));
    const auto found = of_arch->second.find(key);
    if (found == of_arch->second.end()) {
      throw Error(
          "ptxas has no report of " + key + " for " + sm.arch + ": rebuild libplumb_cuda.so",
          Exit::failed);
    }
    const Resources& of = found->second;
    most.registers = std::max(most.registers, of.registers);
    most.spill_bytes = std::max(most.spill_bytes, of.spill_bytes);
    most.occupancy = std::min(most.occupancy,
                              occupancy(sm, static_cast<int64_t>(launch.shape.block.count()),
                                        of.registers, static_cast<int64_t>(launch.shared_bytes)));
  }
  return most;
}

// kernels.md, rule 18: the slowest of memory at 90 % of its peak, f32 arithmetic at 70 %, and
// cycles of shared memory on 132 multiprocessors, and 3 microseconds a launch.
double predicted_us(const KernelCase& one, const HarnessRun& run, double bytes_a_second) {
  constexpr double kFlops = 0.7 * 67e12, kSharedCycles = 132 * 1.755e9, kLaunch = 3;
  const double memory = static_cast<double>(run.traffic.unique_bytes()) / (0.9 * bytes_a_second);
  const double arithmetic = one.flops / kFlops;
  const double shared = static_cast<double>(run.traffic.shared_cycles) / kSharedCycles;
  return 1e6 * one.growth * std::max({memory, arithmetic, shared}) +
         kLaunch * static_cast<double>(run.launches.size());
}

}  // namespace

double relative_error(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor wanted = want.to(at::kDouble).view({-1});
  const double size = wanted.norm().item<double>();
  const double off = (got.to(at::kDouble).reshape({-1}) - wanted).norm().item<double>();
  return size > 0 ? off / size : off;
}

Row measured(const KernelCase& one, const KernelTable& table, const ResourceMap& resources) {
  const HarnessRun run = run_in_harness(one, table);
  Row row{.kernel = one.kernel,
          .shape = one.shape,
          .dtype = one.dtype == at::kBFloat16 ? "bf16" : "f32",
          .bound = one.bound};
  put_errors(one, run.outputs, row);
  row.unique_bytes = static_cast<double>(run.traffic.unique_bytes());
  row.requested_bytes = static_cast<double>(run.traffic.requested_bytes());
  row.floor = one.floor;
  row.sector_efficiency = run.traffic.sector_efficiency();
  row.conflict_factor = run.traffic.conflict_factor();
  row.sm_80 = resources_of(run, kSm80, resources);
  row.sm_90 = resources_of(run, kSm90, resources);
  row.h100_us = predicted_us(one, run, 3.35e12);
  row.h200_us = predicted_us(one, run, 4.8e12);
  row.predicted_for = one.predicted_for;
  return row;
}

}  // namespace plumb::kernels
