#include "core/ops/attention.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/gradients.h"

namespace plumb {
namespace {

using namespace test;

struct Heads {
  int64_t query, kv, width;
};

struct Case {
  at::Tensor fused;  // (N, (H + 2 K) D), requires a gradient
  Heads heads;
  std::vector<int64_t> cu_seqlens;

  AttentionInputs split(const at::Tensor& x) const {
    const auto part = [&](int64_t first, int64_t count) {
      return x.narrow(1, first * heads.width, count * heads.width)
          .unflatten(1, {count, heads.width});
    };
    return {part(0, heads.query), part(heads.query, heads.kv),
            part(heads.query + heads.kv, heads.kv), cu_seqlens};
  }
};

Case make_case(const Heads& heads, const std::vector<int64_t>& lengths, at::ScalarType type) {
  at::manual_seed(4);
  std::vector<int64_t> cu{0};
  for (const int64_t length : lengths) {
    cu.push_back(cu.back() + length);
  }
  return {random_leaf({cu.back(), (heads.query + 2 * heads.kv) * heads.width}, type), heads, cu};
}

class AttentionTypes : public testing::TestWithParam<at::ScalarType> {};

TEST_P(AttentionTypes, MatchesItsReferenceWithGradients) {
  const at::ScalarType type = GetParam();
  const double tolerance = type == at::kFloat ? 5e-6 : 1e-12;
  for (const Heads& heads : {Heads{4, 2, 8}, Heads{3, 3, 5}, Heads{8, 1, 16}, Heads{4, 2, 40}}) {
    for (const std::vector<int64_t>& lengths :
         {std::vector<int64_t>{1}, {6}, {3, 1, 70, 9}, {200}, {33, 64, 65, 129, 2}}) {
      const Case here = make_case(heads, lengths, type);
      Case exact = here;
      exact.fused = here.fused.detach().to(at::kDouble).set_requires_grad(true);
      const AttentionInputs in = here.split(here.fused.detach());
      const AttentionOutput got = attention(in);
      const at::Tensor want = attention_ref(exact.split(exact.fused));
      EXPECT_TRUE(all_close(got.out, want, tolerance, tolerance));

      const at::Tensor weight = at::randn(want.sizes(), at::kDouble);
      const at::Tensor grad = at::full_like(here.fused.detach(), 1e30);  // all of it is written
      const AttentionInputs parts = here.split(grad);
      attention_backward(in, got, weight.to(type), {parts.q, parts.k, parts.v});
      EXPECT_TRUE(
          all_close(grad, gradients(want, weight, {exact.fused})[0], tolerance * 4, tolerance * 4));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, AttentionTypes, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& tested) { return c10::toString(tested.param); });

TEST(Attention, BitsDoNotDependOnNeighboursOrThreads) {
  const Case whole = make_case({4, 2, 8}, {50, 90, 7, 70}, at::kFloat);
  const AttentionInputs in = whole.split(whole.fused.detach());
  const AttentionOutput all = attention(in);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const AttentionOutput on_one = attention(in);
  at::set_num_threads(threads);
  EXPECT_TRUE(same_bits(all.out, on_one.out));
  AttentionInputs second = in;
  for (at::Tensor* x : {&second.q, &second.k, &second.v}) {
    *x = x->narrow(0, 50, 90);
  }
  second.cu_seqlens = {0, 90};
  EXPECT_TRUE(same_bits(attention(second).out, all.out.narrow(0, 50, 90)));
}

TEST(Attention, RefusesHeadsThatDoNotDivideAndRowsLeftOver) {
  const Case here = make_case({3, 2, 4}, {5}, at::kFloat);
  EXPECT_THROW(attention(here.split(here.fused.detach())), Error);
  Case open = make_case({4, 2, 4}, {5}, at::kFloat);
  open.cu_seqlens = {0, 4};
  EXPECT_THROW(attention(open.split(open.fused.detach())), Error);
}

}  // namespace
}  // namespace plumb
