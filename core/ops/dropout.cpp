#include "core/ops/dropout.h"

#include <ATen/Dispatch.h>

#include <algorithm>

#include "core/ops/check.h"
#include "core/ops/parallel.h"
#include "core/ops/philox_lanes.h"

namespace plumb {
namespace {

// What drawing one element costs, in elements of plain work.
constexpr int64_t kDrawCost = 4;

// Elements of the flat mask are drawn in groups of kPhiloxWords; x's first element is element
// `first` of the mask, and x has `count` of them.
template <class T>
void drop_group(T* x, int64_t group, int64_t first, int64_t count, const Dropout& dropout) {
  uint32_t words[kPhiloxWords];
  random_words_lanes(dropout.seed, Stream::dropout, dropout.id, group * kPhiloxLanes, words);
  const auto threshold = static_cast<uint32_t>(dropout.p * 0x1.0p32);
  const T keep_scale = static_cast<T>(1.0 / (1.0 - dropout.p));
  const int64_t start = group * kPhiloxWords;
  const int64_t begin = std::max(start, first);
  const int64_t end = std::min(start + kPhiloxWords, first + count);
  T* out = x + (begin - first);
  const uint32_t* drawn = words + (begin - start);
#pragma omp simd
  for (int64_t i = 0; i < end - begin; ++i) {
    out[i] = drawn[i] >= threshold ? out[i] * keep_scale : T{0};
  }
}

}  // namespace

void dropout_(const at::Tensor& x, const Dropout& dropout) {
  check_shape(x, {-1, -1}, "dropout: x");
  TORCH_INTERNAL_ASSERT(x.is_contiguous());
  if (!(dropout.p >= 0.0 && dropout.p < 1.0)) {
    throw Error("dropout: p must lie in [0, 1), got " + std::to_string(dropout.p));
  }
  const int64_t first = dropout.first_row * x.size(1), count = x.numel();
  const int64_t first_group = first / kPhiloxWords;
  const int64_t groups = (first + count + kPhiloxWords - 1) / kPhiloxWords - first_group;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dropout", [&] {
    scalar_t* data = x.mutable_data_ptr<scalar_t>();
    for_rows(count == 0 ? 0 : groups, kPhiloxWords * kDrawCost,
             [&](int64_t group) { drop_group(data, first_group + group, first, count, dropout); });
  });
}

}  // namespace plumb
