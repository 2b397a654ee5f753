#include "core/ops/backend.h"

#include <array>
#include <string>

#include "core/error.h"

namespace plumb {
namespace backend {

bool has_kernels = false;

}  // namespace backend

namespace {

struct DeviceKernels {
  const KernelTable* table = nullptr;
  CurrentStream stream = nullptr;
};
constexpr auto kDeviceTypes = static_cast<size_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES);
std::array<DeviceKernels, kDeviceTypes> devices;

DeviceKernels& of(c10::DeviceType type) {
  return devices[static_cast<size_t>(type)];
}

bool has_kernel_type(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
}

}  // namespace

void use_kernels(c10::DeviceType device, const KernelTable* table, CurrentStream stream) {
  if (table != nullptr && table->bytes != static_cast<int64_t>(sizeof(KernelTable))) {
    throw Error("the kernels' table has " + std::to_string(table->bytes) + " bytes, this build " +
                "expects " + std::to_string(sizeof(KernelTable)) +
                ": plumb and its kernels are of different builds; build both again");
  }
  of(device) = {table, stream};
  backend::has_kernels = false;
  for (const DeviceKernels& one : devices) {
    backend::has_kernels = backend::has_kernels || one.table != nullptr;
  }
}

const KernelTable* backend::find_kernels(const at::Tensor& x) {
  const KernelTable* const table = of(x.device().type()).table;
  if (table != nullptr && has_kernel_type(x)) {
    return table;
  }
  if (x.is_cpu()) {
    return nullptr;
  }
  throw Error(
      "no kernels for a tensor of " + std::string(c10::toString(x.scalar_type())) + " on " +
      x.device().str() +
      (table == nullptr ? ": the device has none loaded" : ": they take Float and BFloat16"));
}

KernelStream stream_of(const at::Tensor& x) {
  const CurrentStream stream = of(x.device().type()).stream;
  return stream == nullptr ? nullptr : stream(x.device().index());
}

KernelDtype kernel_dtype(const at::Tensor& x) {
  TORCH_INTERNAL_ASSERT(has_kernel_type(x));
  return x.scalar_type() == at::kBFloat16 ? KernelDtype::bf16 : KernelDtype::f32;
}

}  // namespace plumb
