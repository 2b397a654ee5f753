#include "core/model/huge_pages.h"

#include <algorithm>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace plumb {
namespace {

constexpr int64_t kBlockBytes = int64_t{64} << 20;
constexpr int64_t kAlign = 64;  // a cache line, as at::empty's

}  // namespace

at::Tensor on_huge_pages(at::Tensor tensor) {
#if defined(__linux__)
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const auto begin = reinterpret_cast<uintptr_t>(tensor.mutable_data_ptr());
  const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const uintptr_t end = (begin + tensor.nbytes()) / kPage * kPage;
  if (first < end) {
    // A refusal costs speed alone.
    static_cast<void>(madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE));
  }
#endif
  return tensor;
}

at::Tensor HugePageBlocks::empty(at::IntArrayRef shape, at::ScalarType type) {
  const auto size = static_cast<int64_t>(c10::elementSize(type));
  const int64_t bytes = c10::multiply_integers(shape) * size;
  if (!block_.defined() || taken_ + bytes > block_.numel()) {
    block_ = on_huge_pages(at::empty({std::max(bytes, kBlockBytes)}, at::kByte));
    taken_ = 0;
  }
  auto* place = block_.mutable_data_ptr<uint8_t>() + taken_;
  taken_ += (bytes + kAlign - 1) / kAlign * kAlign;
  return at::from_blob(
      place, shape, [block = block_](void*) {}, at::TensorOptions().dtype(type));
}

}  // namespace plumb
