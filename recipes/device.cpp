#include "recipes/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "core/cuda/open.h"
#include "core/error.h"
#include "core/machine/device_name.h"
#include "core/machine/nvidia.h"
#include "core/ops/gemm.h"

namespace plumb {
namespace {

at::Device chosen = at::kCPU;

constexpr int kNeededCuda = 13000;    // of LibTorch's libraries
constexpr int kNeededCapability = 8;  // sm_80: the kernels' bf16 and cp.async

// The GPU part lies beside the jobs.
std::string folder_of_jobs() {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(&choose_device), &info);
  return std::filesystem::absolute(info.dli_fname).parent_path();
}

[[noreturn]] void refuse(const std::string& device, const std::string& why) {
  throw Error("device " + device + ": " + why +
                  "; use --device cpu (plumb doctor shows what is "
                  "here)",
              Exit::usage);
}

void check_driver(const std::string& device, int index) {
  const NvidiaDriver driver = read_nvidia_driver();
  if (!driver.problem.empty()) refuse(device, driver.problem);
  if (driver.cuda < kNeededCuda) {
    refuse(device, "the driver runs CUDA up to " + std::to_string(driver.cuda / 1000) + "." +
                       std::to_string(driver.cuda % 1000 / 10) +
                       ", LibTorch's libraries need 13.0; install driver 580 or newer");
  }
  const auto count = static_cast<int>(driver.devices.size());
  if (index >= count) {
    refuse(device, "GPU " + std::to_string(index) + " is asked for, and the driver sees " +
                       std::to_string(count) +
                       (count == 1 ? " (0)" : " (0 to " + std::to_string(count - 1) + ")"));
  }
  const NvidiaDevice& gpu = driver.devices[static_cast<std::size_t>(index)];
  if (gpu.capability_major < kNeededCapability) {
    refuse(device, gpu.name + " is sm_" + std::to_string(gpu.capability_major) +
                       std::to_string(gpu.capability_minor) + ", the kernels need sm_80 or newer");
  }
}

}  // namespace

void choose_device(const std::string& device, int64_t threads, int64_t ranks_here,
                   int64_t local_rank) {
  const DeviceName name = parse_device(device);
  if (name.is_cuda) {
    const int index = gpu_of_rank(name, static_cast<int>(local_rank), static_cast<int>(ranks_here));
    check_driver(device, index);
    open_cuda(folder_of_jobs(), index);
    chosen = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
  }
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  const int64_t share = std::max<int64_t>(1, cores / std::max<int64_t>(1, ranks_here));
  at::set_num_threads(static_cast<int>(threads > 0 ? threads : share));
}

void choose_precision(const std::string& precision) {
  const bool is_narrow = precision == "bf16";
  if (chosen.is_cuda()) {
    at::globalContext().setAllowTF32CuBLAS(is_narrow);
  } else {
    set_gemm_precision(is_narrow ? GemmPrecision::bf16 : GemmPrecision::f32);
  }
}

at::Device chosen_device() {
  return chosen;
}

}  // namespace plumb
