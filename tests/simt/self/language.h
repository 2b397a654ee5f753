// Kernels that show what each word of CUDA does here; a warp of 32 threads unless said otherwise.
#pragma once
#include <cstdint>

namespace plumb::simt {

// out: (5, 32): shfl from lane 3 in segments of 8, up by 2, down by 3 in 16, xor 5, of 64-bit
void shuffles(int64_t* out);
// out: (8, 32): any, all, ballot of odd lanes, match_any of lane / 4, match_all, sums and extremes
void votes(int64_t* out);
// out: (3): how many of 96 threads are multiples of 3, whether all are, whether any is
void block_votes(int* out);
// out: (blocks * threads) of grid (2, 3, 2) and blocks of (4, 2, 3): number of the global thread
void indices(int64_t* out);
// out: (7) after 64 threads: add, max, min, or, and, xor, and a count by compare-and-swap
void atomics(unsigned* out);

// traffic.cu: 4 blocks of 64 threads move a float each of in to out.
enum class Pattern { vectors, scalars, strided, broadcast, misaligned };
void move_floats(Pattern pattern, const float* in, float* out);
// 32 threads read shared words i * stride; or a column of a 32 x (32 + padding) tile; or float4s.
void shared_stride(int stride, float* out);
void shared_vectors(float* out);
void shared_halves(float* out);                // 2-byte values, two a word
void read_twice(const float* in, float* out);  // 32 threads

}  // namespace plumb::simt
