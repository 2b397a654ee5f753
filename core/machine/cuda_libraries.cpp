#include "core/machine/cuda_libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"

namespace plumb {
namespace {

constexpr const char* kComplete = "./bootstrap.sh build --cuda";

std::string version_in(const std::string& folder) {
  std::ifstream wheel(folder + "/version.py");
  for (std::string line; std::getline(wheel, line);) {
    const std::size_t quote = line.find('\'');
    if (!line.starts_with("__version__") || quote == std::string::npos) continue;
    return line.substr(quote + 1, line.find('\'', quote + 1) - quote - 1);
  }
  std::ifstream zip(folder + "/build-version");
  std::string version;
  return std::getline(zip, version) ? version : "of an unknown version";
}

// The loader's last error, which may name a library that a library needs.
std::string loader_error() {
  const char* const message = dlerror();
  return message == nullptr ? "unknown error" : message;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error("device cuda: " + why, Exit::usage);
}

}  // namespace

TorchInstall torch_in(const std::string& folder) {
  return {folder, version_in(folder)};
}

TorchInstall find_torch() {
  std::string folder;
  const auto look = [](dl_phdr_info* info, std::size_t, void* out) {
    const std::string path = info->dlpi_name;
    if (!path.ends_with("/libtorch_cpu.so")) return 0;
    *static_cast<std::string*>(out) = std::filesystem::path(path).parent_path().parent_path();
    return 1;
  };
  dl_iterate_phdr(look, &folder);
  return folder.empty() ? TorchInstall{} : torch_in(folder);
}

void* open_cuda_libraries(const TorchInstall& torch, const std::string& plugin_path) {
  const std::string what = "LibTorch " + torch.version + " in " + torch.folder;
  const std::string half = torch.folder + "/lib/libtorch_cuda.so";
  if (!std::filesystem::exists(half)) {
    refuse(what +
           " is made for CPUs alone (no lib/libtorch_cuda.so); give PLUMB_TORCH one that is "
           "made for CUDA, or unset it and run " +
           kComplete);
  }
  if (!std::filesystem::exists(plugin_path)) {
    refuse("this build has no GPU part (" + plugin_path +
           "): there was no nvcc when it was built; " + kComplete + " makes it");
  }
  if (dlopen(half.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    refuse(what + " is installed without all of its CUDA libraries (" + loader_error() + "); " +
           kComplete + " completes it");
  }
  void* const plugin = dlopen(plugin_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    refuse(plugin_path + " does not open beside " + what + " (" + loader_error() +
           "): it was built for another one; build it anew with " + kComplete);
  }
  return plugin;
}

}  // namespace plumb
