#include "core/plan/device.h"

#include <array>
#include <vector>

#include "core/error.h"
#include "core/io/nearest_key.h"

namespace plumb::plan {
namespace {

constexpr double kMiB = 1048576;
constexpr double kTera = 1e12;

// FlashAttention-2 reaches about 35 % of an H100's rate (Shah et al. 2024, abstract) and up to 73 %
// of an A100's (Dao 2023, section 4.1); Ada's is taken as Ampere's, less for its small cache.
constexpr double kHopperAttention = 0.35;
constexpr double kAmpereAttention = 0.60;
constexpr double kAdaAttention = 0.50;

// Memory as nvidia-smi reports it; rates of the makers' data sheets, without sparsity.
constexpr std::array kDevices = {
    Device{"h100-80g", "NVIDIA H100 SXM 80 GB", 81559 * kMiB, 989 * kTera, 3.35 * kTera,
           kHopperAttention, "NVIDIA H100 data sheet"},
    Device{"h200-141g", "NVIDIA H200 SXM 141 GB", 143771 * kMiB, 989 * kTera, 4.8 * kTera,
           kHopperAttention, "NVIDIA H200 data sheet"},
    Device{"a100-80g", "NVIDIA A100 SXM 80 GB", 81920 * kMiB, 312 * kTera, 2.039 * kTera,
           kAmpereAttention, "NVIDIA A100 data sheet"},
    Device{"a100-40g", "NVIDIA A100 SXM 40 GB", 40960 * kMiB, 312 * kTera, 1.555 * kTera,
           kAmpereAttention, "NVIDIA A100 data sheet"},
    Device{"l40s-48g", "NVIDIA L40S 48 GB", 46068 * kMiB, 362 * kTera, 0.864 * kTera, kAdaAttention,
           "NVIDIA L40S data sheet"},
    Device{"rtx4090-24g", "NVIDIA GeForce RTX 4090 24 GB", 24564 * kMiB, 165.2 * kTera,
           1.008 * kTera, kAdaAttention, "NVIDIA Ada GPU architecture, appendix A"},
    Device{"rtx3090-24g", "NVIDIA GeForce RTX 3090 24 GB", 24576 * kMiB, 71 * kTera, 0.936 * kTera,
           kAmpereAttention, "NVIDIA Ampere GA102 architecture, table 2"},
};

}  // namespace

std::span<const Device> devices() {
  return kDevices;
}

const Device& find_device(std::string_view name) {
  std::vector<std::string> known;
  for (const Device& device : kDevices) {
    if (name == "cuda:" + std::string(device.name)) return device;
    known.push_back("cuda:" + std::string(device.name));
  }
  std::string message = "--device " + std::string(name) + ": is not known";
  if (const auto near = nearest_key(std::string(name), known)) {
    message += "; did you mean " + *near + "?";
  }
  message += " Plans are made for cpu (this machine)";
  for (const std::string& one : known) message += ", " + one;
  throw Error(message, Exit::usage);
}

Precision gpu_precision() {
  return {
      .weights = 2, .activations = 2, .trained = 4, .has_master_copies = true, .unreturned = 0.05};
}

// glibc's heap keeps what is freed between two blocks that are alive; how much depends on where
// they happen to lie: the same PPO job, started from folders of other names, peaked between 644 and
// 730 MB. Fitted to the bench's models and that job, so that the worst of them are as far above the
// prediction as below it.
Precision cpu_precision() {
  return {.unreturned = 0.10, .unreturned_of_all = 0.25};
}

}  // namespace plumb::plan
