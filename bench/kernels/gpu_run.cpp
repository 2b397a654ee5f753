#include "bench/kernels/gpu_run.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstdio>

#include "bench/kernels/measure.h"
#include "core/cuda/open.h"

namespace plumb::kernels {
namespace {

constexpr c10::DeviceType kGpu = c10::DeviceType::CUDA;
constexpr int kWarmUps = 3, kRepeats = 20, kRounds = 5;

c10::Stream current_stream() {
  const c10::impl::VirtualGuardImpl guard(kGpu);
  return guard.getStream(guard.getDevice());
}

// Microseconds of one call: the least of some rounds, each over many calls between two events.
template <class Work>
double microseconds(const Work& work) {
  for (int i = 0; i < kWarmUps; ++i) {
    work();
  }
  double least = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    c10::Event begin(kGpu, c10::EventFlag::BACKEND_DEFAULT),
        end(kGpu, c10::EventFlag::BACKEND_DEFAULT);
    begin.record(current_stream());
    for (int i = 0; i < kRepeats; ++i) {
      work();
    }
    end.record(current_stream());
    end.synchronize();
    least = std::min(least, 1000 * begin.elapsedTime(end) / kRepeats);
  }
  return least;
}

at::Tensor on_gpu(const at::Tensor& host) {
  return host.to(at::Device(kGpu, 0));
}
at::Tensor empty_on_gpu(at::IntArrayRef sizes, at::ScalarType dtype) {
  return at::empty(sizes, at::dtype(dtype).device(at::Device(kGpu, 0)));
}

// The worst of the outputs, as put_errors has it.
double error_beside_aten(const KernelCase& one, const Tensors& outputs, const Tensors& aten) {
  double worst = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor got = one.read_output ? one.read_output(i, outputs[i]) : outputs[i];
    worst = std::max(worst, relative_error(got, aten[i]));
  }
  return worst;
}

void time_case(const KernelCase& one, const KernelTable& table) {
  Tensors inputs;
  for (const at::Tensor& input : one.inputs) {
    inputs.push_back(on_gpu(input));
  }
  const Tensors want = one.aten(inputs);
  const double aten = microseconds([&] { one.aten(inputs); });
  // In place kernels change their inputs: what they write is compared after the first launch.
  const Prepared prepared = one.prepare(table, inputs, {on_gpu, empty_on_gpu});
  prepared.launch();
  const double off = error_beside_aten(one, prepared.outputs, want);
  const double ours = microseconds(prepared.launch);
  std::printf("%s,\"%s\",%s,%.2f,%.2f,%.2f,%.3f,%.2e\n", one.kernel.c_str(), one.shape.c_str(),
              one.dtype == at::kBFloat16 ? "bf16" : "f32", ours, aten, aten / ours,
              one.floor / ours * 1e-6, off);
  std::fflush(stdout);
}

}  // namespace

int time_on_gpu(const std::string& folder) {
  open_cuda(folder, 0);
  std::printf("kernel,shape,dtype,us,aten_us,aten_over_ours,floor_tb_per_s,difference_from_aten\n");
  for (const KernelCase& one : all_cases(Size::model)) {
    time_case(one, *cuda_plugin()->kernels);
  }
  return 0;
}

}  // namespace plumb::kernels
