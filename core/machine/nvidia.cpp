#include "core/machine/nvidia.h"

#include <dlfcn.h>

#include <array>
#include <memory>

namespace plumb {
namespace {

// A library opened for as long as this lives.
class Library {
 public:
  explicit Library(const std::string& name) : handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) problem_ = dlerror();
  }
  ~Library() {
    if (handle_ != nullptr) dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool is_open() const { return handle_ != nullptr; }
  const std::string& problem() const { return problem_; }  // in the loader's words

  // Null where the library has no such function.
  template <class Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle_, name));
  }

 private:
  void* handle_;
  std::string problem_;
};

// cuda.h: CUresult and CUdevice are ints; attributes by their published numbers.
constexpr int kSuccess = 0;
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;

struct DriverApi {
  int (*init)(unsigned);
  int (*version)(int*);
  int (*count)(int*);
  int (*get)(int*, int);
  int (*name)(char*, int, int);
  int (*memory)(std::size_t*, int);
  int (*attribute)(int*, int, int);
  int (*error_name)(int, const char**);

  explicit DriverApi(const Library& library)
      : init(library.find<int(unsigned)>("cuInit")),
        version(library.find<int(int*)>("cuDriverGetVersion")),
        count(library.find<int(int*)>("cuDeviceGetCount")),
        get(library.find<int(int*, int)>("cuDeviceGet")),
        name(library.find<int(char*, int, int)>("cuDeviceGetName")),
        memory(library.find<int(std::size_t*, int)>("cuDeviceTotalMem_v2")),
        attribute(library.find<int(int*, int, int)>("cuDeviceGetAttribute")),
        error_name(library.find<int(int, const char**)>("cuGetErrorName")) {}

  bool is_whole() const {
    return init && version && count && get && name && memory && attribute && error_name;
  }
};

std::string name_of(const DriverApi& api, int error) {
  const char* name = nullptr;
  const bool is_known = api.error_name(error, &name) == kSuccess && name != nullptr;
  return is_known ? name : "error " + std::to_string(error);
}

// The first error, or success.
int read_device(const DriverApi& api, int index, NvidiaDevice& out) {
  int device = 0;
  std::array<char, 256> name{};
  std::size_t bytes = 0;
  if (const int error = api.get(&device, index)) return error;
  if (const int error = api.name(name.data(), static_cast<int>(name.size()), device)) return error;
  if (const int error = api.memory(&bytes, device)) return error;
  out.name = name.data();
  out.bytes = bytes;
  if (const int error = api.attribute(&out.capability_major, kCapabilityMajor, device))
    return error;
  return api.attribute(&out.capability_minor, kCapabilityMinor, device);
}

}  // namespace

NvidiaDriver read_nvidia_driver(const std::string& library) {
  NvidiaDriver driver;
  const Library cuda(library);
  if (!cuda.is_open()) {
    driver.problem = "no NVIDIA driver (" + cuda.problem() + "); install one where there is a GPU";
    return driver;
  }
  const DriverApi api(cuda);
  if (!api.is_whole()) {
    driver.problem = library + " lacks functions of the driver API; install NVIDIA's driver anew";
    return driver;
  }
  api.version(&driver.cuda);
  int count = 0;
  int error = api.init(0);
  if (error == kSuccess) error = api.count(&count);
  for (int index = 0; error == kSuccess && index < count; ++index) {
    NvidiaDevice device;
    error = read_device(api, index, device);
    if (error == kSuccess) driver.devices.push_back(device);
  }
  if (error != kSuccess) {
    driver.problem = "the driver says " + name_of(api, error) +
                     "; nvidia-smi and the container's settings (--gpus all) may tell more";
  } else if (count == 0) {
    driver.problem = "the driver sees no device; is CUDA_VISIBLE_DEVICES empty?";
  }
  return driver;
}

Nccl read_nccl(const std::string& library) {
  Nccl nccl;
  const Library opened(library);
  if (!opened.is_open()) {
    nccl.problem = "cannot be opened (" + opened.problem() + ")";
    return nccl;
  }
  const auto version = opened.find<int(int*)>("ncclGetVersion");
  if (version == nullptr || version(&nccl.version) != kSuccess) {
    nccl.problem = library + " is no NCCL: it does not tell its version";
  }
  return nccl;
}

}  // namespace plumb
