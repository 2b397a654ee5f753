// Where a run is to happen: this machine, or a GPU that is known by name.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/plan/memory.h"

namespace plumb::plan {

struct Device {
  std::string_view name;         // "h100-80g"
  std::string_view description;  // "NVIDIA H100 SXM 80 GB"
  double memory_bytes = 0;       // that the driver reports
  double flops = 0;              // bf16 matrix products a second, dense, f32 sums
  double bytes_per_second = 0;   // of its memory
  double attention_share = 0;    // of `flops` that the attention kernels reach
  std::string_view source;
};

std::span<const Device> devices();

// "cuda:h100-80g" -> its row. Throws Error (Exit::usage) that names the nearest and all there are.
const Device& find_device(std::string_view name);

// How a run on a GPU keeps its values: bf16 base and activations, f32 for what is trained.
Precision gpu_precision();
Precision cpu_precision();

// What a process takes of a GPU before it computes: context, kernels, cuBLAS's workspaces.
constexpr double kGpuProgramBytes = 1.0e9;

}  // namespace plumb::plan
