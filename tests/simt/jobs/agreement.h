// How near two paths in f32 must be: what counts is f64's result, and how far the CPU's own loops
// are from it.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

namespace plumb::test {

inline double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).norm().item<double>();
}

// |kernels - f64| <= 4 |cpu - f64| + 2^-22 |f64|, in 2-norms: four times the CPU's own error, and
// four roundings of f32 where that happens to be small.
inline void expect_agreement(const at::Tensor& kernels, const at::Tensor& cpu,
                             const at::Tensor& f64, const std::string& what) {
  const double of_kernels = distance(kernels, f64), of_cpu = distance(cpu, f64);
  const double size = f64.norm().item<double>();
  EXPECT_LE(of_kernels, 4 * of_cpu + 0x1p-22 * size)
      << what << ": the CPU's own error is " << of_cpu << ", of a norm of " << size;
}

}  // namespace plumb::test
