#include "core/ops/gemm.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/ops/gemm_kernel.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

// (rows, columns), laid out row by row or column by column.
at::Tensor matrix(int64_t rows, int64_t columns, bool is_turned) {
  return is_turned ? at::randn({columns, rows}).t() : at::randn({rows, columns});
}

double error_of(const at::Tensor& got, const at::Tensor& want) {
  return want.numel() == 0 ? 0.0 : (got.to(at::kDouble) - want).abs().max().item<double>();
}

// Ours may sum a depth in fewer parts than ATen's does: a few times its error, and no more.
void expect_as_good_as_aten(const at::Tensor& got, const at::Tensor& aten, const at::Tensor& want,
                            const std::string& what) {
  const double scale = want.numel() == 0 ? 0.0 : want.abs().max().item<double>();
  EXPECT_LE(error_of(got, want), 4 * error_of(aten, want) + 4e-7 * scale) << what;
}

struct Shape {
  int64_t rows, columns, depth;
};

// Around the sizes of tiles, panels and blocks of depth; odd; single.
const std::vector<Shape> kShapes = {{1, 1, 1},      {7, 5, 3},      {8, 48, 16},   {9, 49, 17},
                                    {15, 16, 800},  {64, 97, 256},  {16, 130, 64}, {33, 47, 1601},
                                    {300, 200, 31}, {130, 300, 769}};

// In f32, and in bf16 where this CPU has it.
class GemmPrecisions : public testing::TestWithParam<GemmPrecision> {
 protected:
  void SetUp() override {
    if (GetParam() == GemmPrecision::bf16 && !gemm_kernel::multiplies_bf16()) {
      GTEST_SKIP() << "this CPU does not multiply bf16";
    }
    set_gemm_precision(GetParam());
  }
  void TearDown() override { set_gemm_precision(GemmPrecision::f32); }
};
INSTANTIATE_TEST_SUITE_P(All, GemmPrecisions,
                         testing::Values(GemmPrecision::f32, GemmPrecision::bf16),
                         [](const auto& info) {
                           return info.param == GemmPrecision::f32 ? "f32" : "bf16";
                         });

TEST_P(GemmPrecisions, MatchesFloat64AsWellAsAtenDoes) {
  at::manual_seed(3);
  const bool rounds = GetParam() == GemmPrecision::bf16;
  const auto rounded = [rounds](const at::Tensor& x) {
    return rounds ? x.to(at::kBFloat16).to(at::kFloat) : x;
  };
  for (const Shape& s : kShapes) {
    for (const int turned : {0, 1, 2, 3}) {
      const at::Tensor a = matrix(s.rows, s.depth, (turned & 1) != 0);
      const at::Tensor b = matrix(s.depth, s.columns, (turned & 2) != 0);
      const at::Tensor want = at::mm(rounded(a).to(at::kDouble), rounded(b).to(at::kDouble));
      std::ostringstream what;
      what << s.rows << " x " << s.columns << " x " << s.depth << ", turned " << turned;
      expect_as_good_as_aten(product_of(a, b), at::mm(rounded(a), rounded(b)), want, what.str());
      const at::Tensor turned_out = at::empty({s.columns, s.rows}).t();
      gemm({{turned_out, {{a, b}}}});
      EXPECT_TRUE(same_bits(turned_out.contiguous(), product_of(a, b))) << what.str();
    }
  }
}

// A base product, updates of blocks of the output, one deep; rows and columns that none covers.
Gemm sum_of_blocks(at::ScalarType type, const at::Tensor& addend) {
  at::manual_seed(5);
  const auto of = [type](int64_t rows, int64_t columns) {
    return at::randn({rows, columns}, at::kDouble).to(type);
  };
  Gemm sum{at::full({62, 150}, 7.0, type), {}, addend.defined() ? addend.to(type) : addend, 0.75};
  sum.terms = {{of(50, 40), of(40, 140)},
               {of(23, 8), of(70, 8).t(), 3, 61},
               {of(21, 300).narrow(1, 4, 290), of(90, 290).t(), 26, 0},
               {of(9, 30).t(), of(9, 30), 30, 119}};
  return sum;
}

at::Tensor by_aten(const Gemm& sum) {
  at::Tensor out = at::zeros_like(sum.out);
  for (const GemmTerm& p : sum.terms) {
    out.narrow(0, p.row, p.a.size(0))
        .narrow(1, p.column, p.b.size(1))
        .add_(at::matmul(p.a, p.b), sum.scale);
  }
  return sum.addend.defined() ? out + sum.addend : out;
}

TEST(Gemm, AddsProductsOfBlocksToAnAddend) {
  const std::vector<at::Tensor> addends = {
      {}, at::randn({150}), at::randn({62, 150}), at::randn({150, 62}).t()};
  for (const at::Tensor& addend : addends) {
    const Gemm exact = sum_of_blocks(at::kDouble, addend), got = sum_of_blocks(at::kFloat, addend);
    gemm({exact, got});
    const at::Tensor want = by_aten(exact);
    EXPECT_LE(error_of(exact.out, want), 1e-12);
    expect_as_good_as_aten(got.out, by_aten(got), want, "blocks");
    const at::Tensor alone = addend.defined() ? addend.expand({62, 150}) : at::zeros({62, 150});
    EXPECT_TRUE(same_bits(got.out[61], alone[61]));
  }
}

TEST(Gemm, AddsToItsOutput) {
  at::manual_seed(6);
  const at::Tensor a = at::randn({70, 1000}), b = at::randn({1000, 61});
  const at::Tensor before = at::randn({70, 61}), out = before.clone();
  gemm({{out, {{a, b}}, out}});
  const at::Tensor apart = at::empty_like(out);
  gemm({{apart, {{a, b}}, before}});
  EXPECT_TRUE(same_bits(out, apart));
}

TEST(Gemm, NothingToMultiplyLeavesTheAddend) {
  EXPECT_EQ(product_of(at::empty({0, 5}), at::empty({5, 4})).size(0), 0);
  EXPECT_EQ(product_of(at::empty({3, 5}), at::empty({5, 0})).size(1), 0);
  EXPECT_TRUE(same_bits(product_of(at::empty({3, 0}), at::empty({0, 4})), at::zeros({3, 4})));
  const at::Tensor out = at::empty({3, 4}), addend = at::randn({4});
  gemm({{out, {}, addend}});
  EXPECT_TRUE(same_bits(out, addend.expand({3, 4}).contiguous()));
  gemm({});
}

TEST_P(GemmPrecisions, BitsDependNotOnThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor a = at::randn({500, 900}), b = at::randn({333, 900}).t();
  const at::Tensor want = product_of(a, b);
  const Gemm sum = sum_of_blocks(at::kFloat, at::ones({150}));
  gemm({sum});
  for (const int count : {2, 3, 7}) {
    at::set_num_threads(count);
    EXPECT_TRUE(same_bits(product_of(a, b), want)) << count;
    const Gemm again = sum_of_blocks(at::kFloat, at::ones({150}));
    gemm({again, {at::empty({500, 333}), {{a, b}}}});
    EXPECT_TRUE(same_bits(again.out, sum.out)) << count;
  }
  at::set_num_threads(threads);
}

TEST_P(GemmPrecisions, BitsDependNotOnRowsAndColumnsBeside) {
  const at::Tensor a = at::randn({200, 900}), b = at::randn({900, 300});
  const at::Tensor whole = product_of(a, b);
  EXPECT_TRUE(same_bits(product_of(a.narrow(0, 13, 30), b), whole.narrow(0, 13, 30).contiguous()));
  EXPECT_TRUE(same_bits(product_of(a, b.narrow(1, 17, 50)), whole.narrow(1, 17, 50).contiguous()));
}

// Rows of one adapter, alone or beside rows of others: the base's depth and the updates' together
// pass the limit of what is summed at once.
TEST_P(GemmPrecisions, BitsDependNotOnUpdatesOfOtherRows) {
  const at::Tensor a = at::randn({90, 760}), b = at::randn({760, 100});
  const at::Tensor low = at::randn({30, 16}), up = at::randn({16, 100});
  const at::Tensor deep = at::randn({30, 500}), deep_up = at::randn({500, 100});
  const at::Tensor beside = at::empty({90, 100}), alone = at::empty({30, 100});
  gemm({{beside, {{a, b}, {low, up, 0}, {deep, deep_up, 60}, {low, up, 30}}, {}, 1.7}});
  gemm({{alone, {{a.narrow(0, 30, 30), b}, {low, up}}, {}, 1.7}});
  EXPECT_TRUE(same_bits(beside.narrow(0, 30, 30).contiguous(), alone));
}

TEST(Gemm, RefusesWhatDoesNotFit) {
  const at::Tensor out = at::empty({4, 4}), a = at::empty({4, 3}), b = at::empty({3, 4});
  EXPECT_THROW(gemm({{out, {{a, a}}}}), Error);
  EXPECT_THROW(gemm({{out, {{a, b, 1, 0}}}}), Error);
  EXPECT_THROW(gemm({{out, {{a, b, 0, -1}}}}), Error);
  EXPECT_THROW(gemm({{out, {{a, b.to(at::kDouble)}}}}), Error);
  EXPECT_THROW(gemm({{out, {{a, b}}, at::empty({3})}}), Error);
  EXPECT_THROW(product_of(a, a), Error);
}

}  // namespace
}  // namespace plumb
