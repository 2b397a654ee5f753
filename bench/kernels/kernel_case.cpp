#include "bench/kernels/kernel_case.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <iterator>
#include <numeric>
#include <utility>

namespace plumb::kernels {

at::Tensor normal(at::IntArrayRef sizes, at::ScalarType dtype, uint64_t seed, double scale) {
  auto generator = at::detail::createCPUGenerator(seed);
  return (at::randn(sizes, generator, at::dtype(at::kDouble)) * scale).to(dtype);
}

at::Tensor longs(const std::vector<int64_t>& values) {
  return at::tensor(values, at::dtype(at::kLong));
}

std::vector<int64_t> offsets(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> cu(lengths.size() + 1);
  std::partial_sum(lengths.begin(), lengths.end(), cu.begin() + 1);
  return cu;
}

KernelDtype kernel_dtype_of(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? KernelDtype::bf16 : KernelDtype::f32;
}

double bytes_of(const Tensors& tensors) {
  double bytes = 0;
  for (const at::Tensor& tensor : tensors) {
    bytes += bytes_of(tensor);
  }
  return bytes;
}

std::string by(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

at::Tensor widened(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

Tensors gradients(const std::function<at::Tensor(const Tensors&)>& f, const Tensors& inputs,
                  const at::Tensor& grad) {
  const at::AutoGradMode with_gradients(true);
  Tensors leaves;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.detach().requires_grad_(input.is_floating_point()));
  }
  const at::Tensor out = f(leaves);
  Tensors wanted;
  for (const at::Tensor& leaf : leaves) {
    if (leaf.requires_grad()) {
      wanted.push_back(leaf);
    }
  }
  return torch::autograd::grad({out}, wanted, {grad});
}

std::vector<KernelCase> all_cases(Size size) {
  std::vector<KernelCase> all;
  for (auto* const group : {norm_cases, element_cases, attention_cases, head_cases, low_rank_cases,
                            quantised_cases, sampling_cases, reward_cases, optimizer_cases}) {
    std::vector<KernelCase> cases = group(size);
    std::move(cases.begin(), cases.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace plumb::kernels
