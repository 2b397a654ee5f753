// The global norm and clip scale against their definition (torch.nn.utils.clip_grad_norm_) in
// float64.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/ops/grad_norm_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

template <class T>
Outcome run_norm(const std::vector<T>& grads_in, double max_norm, GradientClip& result,
                 int64_t skipped = 0) {
  return run([&] {
    DeviceBuffer<T> grads(grads_in, "grads");
    const int64_t count = grads.size() - skipped;
    DeviceBuffer<double> partial(grad_norm_partials(count), "partial");
    DeviceBuffer<GradientClip> clip(1, "clip");
    launch_grad_norm({.clip = clip.data(),
                      .partial = partial.data(),
                      .grads = grads.data() + skipped,
                      .count = count,
                      .max_norm = max_norm,
                      .dtype = dtype_of<T>},
                     nullptr);
    result = clip.host()[0];
  });
}

template <class T>
double norm_of(const std::vector<T>& values, int64_t skipped = 0) {
  double sum = 0;
  for (size_t i = static_cast<size_t>(skipped); i < values.size(); ++i) {
    sum += value_of(values[i]) * value_of(values[i]);
  }
  return std::sqrt(sum);
}

template <class T>
class GradNormKernel : public testing::Test {};
TYPED_TEST_SUITE(GradNormKernel, Elements);

TYPED_TEST(GradNormKernel, NormAndScale) {
  for (const int64_t count : {1, 7, 1000, 16384, 16385, 40003}) {
    SCOPED_TRACE(count);
    const auto grads = normal_values<TypeParam>(count, 30, 0.1);
    const double want = norm_of(grads);
    GradientClip clip;
    expect_clean(run_norm(grads, want / 2, clip));
    EXPECT_NEAR(clip.norm, want, 1e-12 * want);
    EXPECT_FLOAT_EQ(clip.scale, static_cast<float>(want / 2 / (want + 1e-6)));
    EXPECT_EQ(clip.is_finite, 1);
    for (const double loose : {2 * want, 0.0}) {
      expect_clean(run_norm(grads, loose, clip));
      EXPECT_EQ(clip.scale, 1.0f);
    }
  }
}

TYPED_TEST(GradNormKernel, ArraysThatAreNotAligned) {
  const auto grads = normal_values<TypeParam>(501, 31);
  GradientClip clip;
  expect_clean(run_norm(grads, 0.0, clip, 1));
  EXPECT_NEAR(clip.norm, norm_of(grads, 1), 1e-12 * clip.norm);
}

TYPED_TEST(GradNormKernel, NoGradientsHaveNormZero) {
  GradientClip clip;
  expect_clean(run_norm<TypeParam>({}, 1.0, clip));
  EXPECT_EQ(clip.norm, 0.0);
  EXPECT_EQ(clip.scale, 1.0f);
  EXPECT_EQ(clip.is_finite, 1);
}

TYPED_TEST(GradNormKernel, SquaresBeyondF32AndNonFinite) {
  std::vector<TypeParam> grads = normal_values<TypeParam>(300, 32, 1e30);
  GradientClip clip;
  expect_clean(run_norm(grads, 1.0, clip));
  EXPECT_NEAR(clip.norm, norm_of(grads), 1e-12 * clip.norm);
  for (const double bad :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    grads[299] = as<TypeParam>(bad);
    expect_clean(run_norm(grads, 1.0, clip));
    EXPECT_EQ(clip.is_finite, 0);
    EXPECT_EQ(clip.scale, 1.0f);
  }
}

TYPED_TEST(GradNormKernel, MovesItsFloor) {
  const auto grads = normal_values<TypeParam>(32768, 33);
  GradientClip clip;
  expect_streaming(run_norm(grads, 1.0, clip),
                   static_cast<int64_t>(grads.size() * sizeof(TypeParam)) + 100);
}

TEST(GradNormPlan, PartialsCoverEveryCount) {
  for (const int64_t count : {int64_t{1}, int64_t{16384}, int64_t{16384} * 1024,
                              int64_t{16384} * 1024 + 1, int64_t{8} << 30}) {
    EXPECT_LE(grad_norm_partials(count), kMostGradNormPartials);
    EXPECT_GE(grad_norm_partials(count) * grad_norm_chunk(count), count);
    EXPECT_LT((grad_norm_partials(count) - 1) * grad_norm_chunk(count), count);
  }
}

}  // namespace
}  // namespace plumb::simt
