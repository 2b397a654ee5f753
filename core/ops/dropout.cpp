#include "core/ops/dropout.h"

#include <ATen/Dispatch.h>

#include "core/ops/check.h"
#include "core/ops/parallel.h"
#include "core/ops/philox.h"

namespace plumb {
namespace {

constexpr int64_t kWords = 4;

// Elements [begin, end) of the flat mask onto x, whose first element is element `begin`.
template <class T>
void drop_run(T* x, int64_t begin, int64_t end, const Dropout& dropout, T keep_scale,
              uint64_t threshold) {
  for (int64_t block = begin / kWords; block * kWords < end; ++block) {
    const auto words = random_words(dropout.seed, Stream::dropout, dropout.id, block);
    for (int64_t w = 0; w < kWords; ++w) {
      const int64_t element = block * kWords + w;
      if (element >= begin && element < end) {
        x[element - begin] *= words[w] >= threshold ? keep_scale : T{0};
      }
    }
  }
}

}  // namespace

void dropout_(const at::Tensor& x, const Dropout& dropout) {
  check_shape(x, {-1, -1}, "dropout: x");
  TORCH_INTERNAL_ASSERT(x.is_contiguous());
  const int64_t rows = x.size(0), width = x.size(1);
  const auto threshold = static_cast<uint64_t>(dropout.p * 0x1.0p32);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dropout", [&] {
    scalar_t* data = x.mutable_data_ptr<scalar_t>();
    const auto keep_scale = static_cast<scalar_t>(1.0 / (1.0 - dropout.p));
    for_rows(rows, width * 16, [&](int64_t row) {
      const int64_t begin = (dropout.first_row + row) * width;
      drop_run(data + row * width, begin, begin + width, dropout, keep_scale, threshold);
    });
  });
}

}  // namespace plumb
