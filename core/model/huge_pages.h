// Weights on pages of 2 MiB where the system gives them (Linux, transparent_hugepage madvise or
// always). A decode step reads all weights once, so each page of 4 KiB is looked up anew: large
// pages gave 1.2 to 1.4 times the bandwidth. Not for activations, which come and go and would leave
// holes.
#pragma once
#include <ATen/ATen.h>

#include <cstdint>

namespace plumb {

// The same CPU tensor. Ask before it is written to: pages that exist already stay as they are.
// Nothing is asked for beyond its whole large pages, so it takes no more memory.
at::Tensor on_huge_pages(at::Tensor tensor);

// Places for tensors that live about as long as one another, side by side: many weights are smaller
// than a large page. A tensor keeps the block that it lies in; untouched pages cost nothing.
class HugePageBlocks {
 public:
  // On the CPU, contents undefined, a storage of its own.
  at::Tensor empty(at::IntArrayRef shape, at::ScalarType type);

 private:
  at::Tensor block_;   // bytes
  int64_t taken_ = 0;  // of block_
};

}  // namespace plumb
