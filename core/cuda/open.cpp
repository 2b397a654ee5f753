#include "core/cuda/open.h"

#include <dlfcn.h>

#include <cstring>

#include "core/error.h"
#include "core/machine/cuda_libraries.h"

namespace plumb {
namespace {

const CudaPlugin* opened = nullptr;

// LibTorch's messages carry a stack after the first line.
std::string first_line(const char* message) {
  return std::string(message, std::strcspn(message, "\n"));
}

const CudaPlugin& plugin_of(void* library, const std::string& path) {
  const auto find = reinterpret_cast<const CudaPlugin* (*)()>(dlsym(library, kCudaPluginSymbol));
  const CudaPlugin* const plugin = find == nullptr ? nullptr : find();
  if (plugin == nullptr || plugin->bytes != static_cast<int64_t>(sizeof(CudaPlugin))) {
    throw Error("device cuda: " + path +
                    " is of another build than libplumb_jobs.so; build both with ./bootstrap.sh "
                    "build --cuda",
                Exit::usage);
  }
  return *plugin;
}

}  // namespace

void open_cuda(const std::string& folder, int device) {
  const std::string path = folder + "/" + kCudaPluginName;
  const CudaPlugin& plugin = plugin_of(open_cuda_libraries(find_torch(), path), path);
  try {
    plugin.select(device);
  } catch (const std::exception& error) {
    throw Error("device cuda:" + std::to_string(device) + ": " + first_line(error.what()) +
                    "; plumb doctor shows what is here",
                Exit::usage);
  }
  use_kernels(c10::DeviceType::CUDA, plugin.kernels, plugin.stream);
  use_graphs(c10::DeviceType::CUDA, plugin.graphs);
  opened = &plugin;
}

const CudaPlugin* cuda_plugin() {
  return opened;
}

}  // namespace plumb
