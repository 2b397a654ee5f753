#include "bench/kernels/harness_run.h"

#include "core/error.h"
#include "tests/simt/memory.h"

namespace plumb::kernels {
namespace {

at::Tensor allocated(at::IntArrayRef sizes, at::ScalarType dtype, bool is_filled) {
  const int64_t count = c10::multiply_integers(sizes);
  const uint64_t element = c10::elementSize(dtype);
  simt::Buffer* const buffer =
      simt::allocate_device(static_cast<uint64_t>(count) * element, element, "tensor");
  if (is_filled) {
    simt::mark_written(buffer);
  }
  return at::from_blob(reinterpret_cast<void*>(buffer->begin), sizes, at::dtype(dtype));
}

at::Tensor put(const at::Tensor& host) {
  const at::Tensor placed = allocated(host.sizes(), host.scalar_type(), true);
  placed.copy_(host);
  return placed;
}

at::Tensor empty(at::IntArrayRef sizes, at::ScalarType dtype) {
  return allocated(sizes, dtype, false);
}

}  // namespace

HarnessRun run_in_harness(const KernelCase& one, const KernelTable& table) {
  HarnessRun result;
  const simt::Outcome outcome = simt::run_one(
      [&] {
        Tensors inputs;
        for (const at::Tensor& input : one.inputs) {
          inputs.push_back(put(input));
        }
        const Prepared prepared = one.prepare(table, inputs, {put, empty});
        prepared.launch();
        for (size_t i = 0; i < prepared.outputs.size(); ++i) {
          const at::Tensor& written = prepared.outputs[i];
          result.outputs.push_back(one.read_output ? one.read_output(i, written).clone()
                                                   : written.clone());
        }
      },
      {simt::Order::forward});
  if (!outcome.clean()) {
    throw Error(one.kernel + " at " + one.shape + ": " + outcome.text(), Exit::failed);
  }
  result.launches = outcome.launches;
  result.traffic = outcome.traffic();
  return result;
}

}  // namespace plumb::kernels
