// How much shared memory a block gets: a launch says more than kSharedUnasked beforehand
// (cudaFuncSetAttribute), which costs a call, so it is left out for small dynamic arrays.
#pragma once
#include <cstddef>

namespace plumb {

// Of a block, arrays that the kernel declares included.
inline constexpr size_t kSharedUnasked = 48 * 1024;
// Launches with at most so many bytes of dynamic shared memory do not ask: their kernels may
// declare the rest of kSharedUnasked.
inline constexpr size_t kDynamicUnasked = 16 * 1024;

}  // namespace plumb
