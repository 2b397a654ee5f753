// CUDA's built-in vector types for a host compiler, with CUDA's alignments: a float4 read is one
// 16-byte access here as there (kernel files are compiled with -fno-tree-sra so that it stays one).
#pragma once
#include <cstddef>
#include <cstdint>

namespace plumb::simt {

#define PLUMB_SIMT_VECTOR(type, name, align)                      \
  struct alignas(align / 2) name##2 {                             \
    type x, y;                                                    \
  };                                                              \
  struct name##3 {                                                \
    type x, y, z;                                                 \
  };                                                              \
  struct alignas(align) name##4 {                                 \
    type x, y, z, w;                                              \
  };                                                              \
  inline name##2 make_##name##2(type x, type y) {                 \
    return {x, y};                                                \
  }                                                               \
  inline name##3 make_##name##3(type x, type y, type z) {         \
    return {x, y, z};                                             \
  }                                                               \
  inline name##4 make_##name##4(type x, type y, type z, type w) { \
    return {x, y, z, w};                                          \
  }

// NOLINTBEGIN: CUDA's names
PLUMB_SIMT_VECTOR(int8_t, char, 4)
PLUMB_SIMT_VECTOR(uint8_t, uchar, 4)
PLUMB_SIMT_VECTOR(int16_t, short, 8)
PLUMB_SIMT_VECTOR(uint16_t, ushort, 8)
PLUMB_SIMT_VECTOR(int, int, 16)
PLUMB_SIMT_VECTOR(unsigned, uint, 16)
PLUMB_SIMT_VECTOR(float, float, 16)
#undef PLUMB_SIMT_VECTOR

struct alignas(16) longlong2 {
  long long x, y;
};
struct alignas(16) ulonglong2 {
  unsigned long long x, y;
};
struct alignas(16) double2 {
  double x, y;
};
inline double2 make_double2(double x, double y) {
  return {x, y};
}

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3() = default;
  constexpr dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr uint64_t count() const { return uint64_t{x} * y * z; }
};
// NOLINTEND

}  // namespace plumb::simt
