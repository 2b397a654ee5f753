#include "recipes/cli/doctor_command.h"

#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json.h"
#include "core/machine/cpu.h"
#include "core/machine/cuda_libraries.h"
#include "core/machine/nvidia.h"
#include "core/train/human.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/machine_memory.h"
#include "recipes/cli/open_jobs.h"
#include "recipes/cli/version.h"

namespace plumb {
namespace {

struct DoctorOptions {
  bool json = false;

  template <class Visitor>
  void fields(Visitor& v) {
    v("json", json, "one JSON object on stdout");
  }
};

// One thing looked at. What is `needed` decides the exit status.
struct Finding {
  std::string topic;
  std::string text;
  std::string problem = {};  // what will not work, why, and what to do; empty: all is well
  bool needed = true;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Finding look_at_cpu() {
  const Cpu cpu = read_cpu();
  Finding finding{"cpu", cpu.name + ", " + std::to_string(cpu.cores) + " cores; " +
                             (cpu.has.empty() ? "no AVX2" : joined(cpu.has))};
  if (!cpu.missing.empty()) {
    finding.problem = "this build uses " + joined(cpu.missing) +
                      ", which the CPU lacks: jobs will die of illegal instructions; build it "
                      "here with ./bootstrap.sh build";
  }
  return finding;
}

double available_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (double kib = 0; file >> key >> kib; std::getline(file, unit)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

Finding look_at_memory() {
  return {"memory",
          human_bytes(machine_memory_bytes()) + ", " + human_bytes(available_bytes()) + " free"};
}

Finding look_at_jobs() {
  try {
    open_jobs();
  } catch (const Error& error) {
    return {"jobs", "libplumb_jobs.so", error.what()};
  }
  const TorchInstall torch = find_torch();
  return {"jobs", "libplumb_jobs.so, LibTorch " + torch.version + " in " + torch.folder};
}

Finding look_at_driver() {
  const NvidiaDriver driver = read_nvidia_driver();
  Finding finding{"gpu", "none", driver.problem, false};
  if (driver.cuda != 0) {
    finding.text = "driver for CUDA " + std::to_string(driver.cuda / 1000) + "." +
                   std::to_string(driver.cuda % 1000 / 10);
  }
  for (const NvidiaDevice& device : driver.devices) {
    finding.text += "; " + device.name + ", " + human_bytes(static_cast<double>(device.bytes)) +
                    ", sm_" + std::to_string(device.capability_major) +
                    std::to_string(device.capability_minor);
  }
  return finding;
}

Finding look_at_nccl() {
  const Nccl nccl = read_nccl();
  const int version = nccl.version;
  Finding finding{"nccl", "", nccl.problem, false};
  if (version != 0) {
    finding.text = std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) +
                   "." + std::to_string(version % 100);
  }
  return finding;
}

// Needs LibTorch, which the jobs have opened. What it loads makes NCCL known by name, too.
Finding look_at_plugin() {
  Finding finding{"cuda plugin", kCudaPluginName, "", false};
  const TorchInstall torch = find_torch();
  if (torch.folder.empty()) {
    finding.problem = "needs the jobs";
    return finding;
  }
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  try {
    open_cuda_libraries(torch, program.parent_path() / kCudaPluginName);
  } catch (const Error& error) {
    finding.problem = error.what();
  }
  return finding;
}

void print(const std::vector<Finding>& findings) {
  std::cout << version_line() << "\n";
  for (const Finding& finding : findings) {
    std::string line = (finding.problem.empty() ? "  ok  "
                        : finding.needed        ? "FAIL  "
                                                : "   -  ") +
                       finding.topic;
    line.resize(std::max<std::size_t>(line.size() + 1, 20), ' ');
    std::cout << line << finding.text;
    if (!finding.problem.empty())
      std::cout << (finding.text.empty() ? "" : ": ") << finding.problem;
    std::cout << "\n";
  }
}

}  // namespace

std::string doctor_help() {
  DoctorOptions options;
  return "Flags\n" + flags_help(FieldList::of(options));
}

int doctor(const Arguments& arguments) {
  DoctorOptions options;
  if (!parse_flags(arguments, FieldList::of(options)).empty()) {
    throw Error("plumb doctor takes no words beside flags", Exit::usage);
  }
  const std::vector<Finding> findings = {look_at_cpu(),    look_at_memory(), look_at_jobs(),
                                         look_at_driver(), look_at_plugin(), look_at_nccl()};
  bool can_run = true;
  Json all = Json::array();
  for (const Finding& finding : findings) {
    can_run = can_run && (finding.problem.empty() || !finding.needed);
    all.push_back({{"topic", finding.topic},
                   {"found", finding.text},
                   {"problem", finding.problem},
                   {"needed", finding.needed}});
  }
  if (options.json) {
    std::cout << Json{{"can_run", can_run}, {"findings", all}}.dump() << "\n";
  } else {
    print(findings);
  }
  return static_cast<int>(can_run ? Exit::ok : Exit::failed);
}

}  // namespace plumb
