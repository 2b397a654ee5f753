#include "core/model/decode_weights.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/io/ggml_types.h"

namespace plumb {
namespace {

int64_t groups_of(int64_t width) {
  return (width + kScaleGroup - 1) / kScaleGroup;
}

at::Tensor values_of(const DecodeWeight& weight) {
  return at::from_blob(const_cast<void*>(weight.values), {weight.out_features, weight.in_features},
                       at::kChar);
}

at::Tensor scales_of(const DecodeWeight& weight) {
  return at::from_blob(const_cast<float*>(weight.scales),
                       {weight.out_features, groups_of(weight.in_features)});
}

// (O, I) f64
at::Tensor widened(const DecodeWeight& weight) {
  const at::Tensor scales =
      scales_of(weight).repeat_interleave(kScaleGroup, 1).slice(1, 0, weight.in_features);
  return values_of(weight).to(at::kDouble) * scales.to(at::kDouble);
}

// Rows of sizes from f16's normal scales to large ones, a zero group and a large outlier.
at::Tensor rows_of_many_sizes(int64_t width) {
  at::manual_seed(width);
  const at::Tensor sizes = at::exp2(at::arange(-5, 15).to(at::kFloat)).unsqueeze(1);
  at::Tensor rows = at::randn({20, width}) * sizes;
  rows[3].slice(0, 0, std::min<int64_t>(width, kScaleGroup)).zero_();
  rows[4][width - 1] = 1000;
  return rows;
}

TEST(DecodeWeights, Int8IsGgmlsQ8) {
  const at::Tensor rows = rows_of_many_sizes(160);
  DecodeWeights weights(WeightFormat::int8);
  const DecodeWeight got = weights.get(rows, {});
  std::string blocks;
  const std::span<const float> all(rows.const_data_ptr<float>(), rows.numel());
  ggml_encode(GgmlType::q8_0, all, blocks);
  const at::Tensor want = at::empty_like(rows);
  ggml_decode(GgmlType::q8_0, blocks, {want.mutable_data_ptr<float>(), all.size()});
  EXPECT_TRUE(at::equal(widened(got).to(at::kFloat), want));
}

TEST(DecodeWeights, Int8ErrsByItsBoundAtMost) {
  for (const int64_t width : {1, 31, 32, 33, 100, 576}) {
    const at::Tensor rows = rows_of_many_sizes(width);
    DecodeWeights weights(WeightFormat::int8);
    const DecodeWeight got = weights.get(rows, {});
    const at::Tensor scales =
        scales_of(got).repeat_interleave(kScaleGroup, 1).slice(1, 0, width).to(at::kDouble);
    const at::Tensor error = (widened(got) - rows.to(at::kDouble)).abs();
    EXPECT_TRUE((error <= scales * (0.5 + 127.0 / 2048) * (1 + 1e-6)).all().item<bool>()) << width;
    EXPECT_EQ(values_of(got).abs().max().item<int64_t>(), 127);
  }
}

// A product's error: rounding to the nearest of n random weights sums as the root of n steps of
// variance 1/12, and never exceeds the sum of the bounds.
TEST(DecodeWeights, AProductErrsAsRoundingDoes) {
  at::manual_seed(5);
  const int64_t out = 512, in = 576;
  const at::Tensor weight = at::randn({out, in}), x = at::randn({1, in}), y = at::empty({1, out});
  DecodeWeights weights(WeightFormat::int8);
  const DecodeWeight narrow = weights.get(weight, {});
  decode_linear(x.const_data_ptr<float>(), 1, narrow, {},
                {.y = y.mutable_data_ptr<float>(), .y_stride = out});
  const at::Tensor wide_x = x.to(at::kDouble);
  const at::Tensor scales =
      scales_of(narrow).to(at::kDouble).repeat_interleave(kScaleGroup, 1).slice(1, 0, in);
  const at::Tensor error = y.to(at::kDouble) - at::mm(wide_x, weight.to(at::kDouble).t());
  const at::Tensor bound = at::mm(wide_x.abs(), scales.t()) * (0.5 + 127.0 / 2048 + 1e-4);
  EXPECT_TRUE((error.abs() <= bound).all().item<bool>());
  const at::Tensor step = at::mm(wide_x.square(), scales.square().t()).div(12).sqrt();
  const double relative = (error / step).square().mean().sqrt().item<double>();
  EXPECT_NEAR(relative, 1.0, 0.15);
}

TEST(DecodeWeights, Bf16RoundsToTheNearestAndKeepsWhatIsBf16) {
  const at::Tensor rows = rows_of_many_sizes(48);
  DecodeWeights weights(WeightFormat::bf16);
  const DecodeWeight got = weights.get(rows, {});
  const auto* bits = static_cast<const uint16_t*>(got.values);
  const float* from = rows.const_data_ptr<float>();
  for (int64_t i = 0; i < rows.numel(); ++i) {
    EXPECT_EQ(bits[i], to_bfloat16(from[i]));
  }
  const at::Tensor exact = rows.to(at::kBFloat16).to(at::kFloat);
  const auto* kept = static_cast<const uint16_t*>(weights.get(exact, {}).values);
  for (int64_t i = 0; i < exact.numel(); ++i) {
    EXPECT_EQ(from_bfloat16(kept[i]), exact.const_data_ptr<float>()[i]);
  }
}

TEST(DecodeWeights, F32IsTheModelsOwnMemoryAndCopiesAreMadeOnce) {
  const at::Tensor rows = at::randn({4, 40}), bias = at::randn({4});
  DecodeWeights own;
  EXPECT_EQ(own.get(rows, bias).values, rows.const_data_ptr<float>());
  EXPECT_EQ(own.get(rows, bias).bias, bias.const_data_ptr<float>());
  DecodeWeights narrow(WeightFormat::int8);
  EXPECT_EQ(narrow.get(rows, {}).values, narrow.get(rows, {}).values);
}

TEST(DecodeWeights, RowsOfAWeightAreItsRows) {
  const at::Tensor rows = at::randn({7, 40}), bias = at::randn({7}), x = at::randn({1, 40});
  for (const WeightFormat format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::int8}) {
    DecodeWeights weights(format);
    const DecodeWeight whole = weights.get(rows, bias);
    const at::Tensor y = at::empty({1, 7}), part = at::empty({1, 3});
    decode_linear(x.const_data_ptr<float>(), 1, whole, {},
                  {.y = y.mutable_data_ptr<float>(), .y_stride = 7});
    decode_linear(x.const_data_ptr<float>(), 1, weight_rows(whole, 2, 3), {},
                  {.y = part.mutable_data_ptr<float>(), .y_stride = 3});
    EXPECT_TRUE(at::equal(part, y.slice(1, 2, 5)));
  }
}

TEST(DecodeWeights, Int8RefusesWhatItCannotHold) {
  for (const float bad : {NAN, INFINITY, -INFINITY, 1e7f}) {
    at::Tensor rows = at::randn({3, 40});
    rows[1][35] = bad;
    DecodeWeights weights(WeightFormat::int8);
    try {
      weights.get(rows, {});
      ADD_FAILURE() << bad << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code, Exit::non_finite);
    }
  }
}

TEST(DecodeWeights, FormatsHaveNames) {
  EXPECT_EQ(weight_format_of("f32"), WeightFormat::f32);
  EXPECT_EQ(weight_format_of("bf16"), WeightFormat::bf16);
  EXPECT_EQ(weight_format_of("int8"), WeightFormat::int8);
  EXPECT_THROW(weight_format_of("q4"), Error);
}

}  // namespace
}  // namespace plumb
