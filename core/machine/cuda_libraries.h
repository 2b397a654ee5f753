// The libraries behind --device cuda, and which LibTorch is here. No LibTorch header: `plumb
// doctor` asks too.
#pragma once
#include <string>

namespace plumb {

struct TorchInstall {
  std::string folder;   // with lib/ and include/; empty: none is open in this process
  std::string version;  // "2.13.0+cu130"
};
// Of the LibTorch that this process has opened.
TorchInstall find_torch();
// Of a folder: the wheel says its version in version.py, the zip in build-version.
TorchInstall torch_in(const std::string& folder);

inline constexpr const char* kCudaPluginName = "libplumb_cuda.so";

// Opens LibTorch's CUDA half, then the plugin at `plugin_path`, whose handle is returned. Throws
// Error (Exit::usage): which LibTorch is there, what of it does not open, and the command that
// completes it.
void* open_cuda_libraries(const TorchInstall& torch, const std::string& plugin_path);

}  // namespace plumb
