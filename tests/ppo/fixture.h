// Expected values of tests/oracle/make_ppo.py as tensors.
#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/io/json.h"

namespace plumb::test {

inline const Json& ppo_fixture() {
  static const Json fixture = read_json("tests/oracle/fixtures/ppo.json");
  return fixture;
}

inline at::Tensor tensor(const Json& values) {
  return at::tensor(values.get<std::vector<double>>(), at::kDouble);
}

// A list of equally long lists -> (rows, columns).
inline at::Tensor matrix(const Json& rows) {
  std::vector<at::Tensor> tensors;
  for (const Json& row : rows) tensors.push_back(tensor(row));
  return at::stack(tensors);
}

inline std::vector<int64_t> offsets(const Json& lengths) {
  std::vector<int64_t> cu{0};
  for (const int64_t length : lengths.get<std::vector<int64_t>>()) cu.push_back(cu.back() + length);
  return cu;
}

inline void expect_close(const at::Tensor& got, const at::Tensor& want, double tolerance,
                         const std::string& what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const at::Tensor g = got.to(at::kDouble);
  const at::Tensor w = want.to(at::kDouble);
  const double scale = std::max(1.0, w.abs().max().item<double>());
  const double error = (g - w).abs().max().item<double>();
  EXPECT_LE(error, tolerance * scale) << what << "\ngot\n" << g << "\nwant\n" << w;
}

}  // namespace plumb::test
