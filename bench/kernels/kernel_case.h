// A kernel of the product at one shape and dtype, with what ATen makes of the same inputs: run in
// the harness (harness_run.h) or timed on a GPU (gpu_run.h).
#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/ops/kernel_table.h"

namespace plumb::kernels {

using Tensors = std::vector<at::Tensor>;

// Where a launch's tensors lie.
struct Place {
  std::function<at::Tensor(const at::Tensor&)> put;  // a copy there
  std::function<at::Tensor(at::IntArrayRef, at::ScalarType)> empty;
};

// A launch over placed tensors, and what it writes that ATen's outputs are compared with.
struct Prepared {
  std::function<void()> launch;
  Tensors outputs;
};

enum class Bound {
  memory,      // a streaming kernel: must move its floor
  arithmetic,  // a product or attention: reads operands again from the caches
};

struct KernelCase {
  std::string kernel;  // entry of the KernelTable, with what varies in it: "rms_norm_forward +sum"
  std::string shape;
  at::ScalarType dtype = at::kFloat;
  Bound bound = Bound::memory;
  double floor = 0;   // bytes: every input read once, every result written once
  double flops = 0;   // of f32 arithmetic where that may bound the kernel, else 0
  double growth = 1;  // by which bytes and flops grow to the size that `predicted_for` names
  std::string predicted_for = {};
  Tensors inputs = {};
  // The reference where floating inputs are f64; else ATen's own result at that precision.
  std::function<Tensors(const Tensors&)> aten = {};
  std::function<Prepared(const KernelTable&, const Tensors&, const Place&)> prepare = {};
  // Output `i` as ATen's has it, where the kernel packs it otherwise.
  std::function<at::Tensor(size_t i, const at::Tensor&)> read_output = {};
};

enum class Size {
  harness,  // few rows, which the harness runs in milliseconds
  model,    // as a training or decoding step of a model has them
};

// Cases of a group of kernels in f32 and bf16, at widths of real models and an odd one.
std::vector<KernelCase> norm_cases(Size size);
std::vector<KernelCase> element_cases(Size size);  // rope, activations, embedding
std::vector<KernelCase> attention_cases(Size size);
std::vector<KernelCase> head_cases(Size size);
std::vector<KernelCase> low_rank_cases(Size size);
std::vector<KernelCase> quantised_cases(Size size);
std::vector<KernelCase> sampling_cases(Size size);
std::vector<KernelCase> reward_cases(
    Size size);  // gae, whitening, KL rewards, value and pair losses
std::vector<KernelCase> optimizer_cases(Size size);
std::vector<KernelCase> all_cases(Size size);

// What cases are made of.
inline constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

at::Tensor normal(at::IntArrayRef sizes, at::ScalarType dtype, uint64_t seed, double scale = 1.0);
at::Tensor longs(const std::vector<int64_t>& values);
std::vector<int64_t> offsets(const std::vector<int64_t>& lengths);  // cu_seqlens

KernelDtype kernel_dtype_of(const at::Tensor& x);
inline double bytes_of(const at::Tensor& x) {
  return static_cast<double>(x.nbytes());
}
double bytes_of(const Tensors& tensors);
std::string by(std::initializer_list<int64_t> sizes);  // "4 x 4096"

// f32 for bf16, itself otherwise: what sums of such values are kept in.
at::Tensor widened(const at::Tensor& x);

// Gradients of sum(grad * f(inputs)) with respect to `inputs`.
Tensors gradients(const std::function<at::Tensor(const Tensors&)>& f, const Tensors& inputs,
                  const at::Tensor& grad);

}  // namespace plumb::kernels
