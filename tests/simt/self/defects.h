// Small kernels, each with one defect, and its sound twin. The line of a defect carries a mark,
// `<name>`, in a comment, which the tests look up.
#pragma once
#include <cstdint>

namespace plumb::simt {

enum class Twin { broken, sound };

// races.cu. out: (64) in one block unless said otherwise.
void shared_write_read(Twin twin, float* out);  // a neighbour's value without a barrier
void shared_write_write(Twin twin, int* out);   // all threads write one place
void read_then_write(Twin twin, float* out);    // write-after-read in a loop
void global_in_block(Twin twin, int* out);      // the same through global memory
void warp_exchange(Twin twin, int* out);        // through shared memory in a warp, no syncwarp
void partial_warp_sync(Twin twin, int* out);    // a syncwarp that does not name the reader
void partial_warp_sync_late(Twin twin, int* out);
void between_blocks(Twin twin, int* out);         // 2 blocks of 32; (32) or (64)
void read_of_other_block(Twin twin, int* out);    // 2 blocks; a block reads the other's result
void atomic_and_plain(Twin twin, int* out);       // a plain read beside atomics
void float_atomics(Twin twin, float* out);        // order-dependent sum; (1)
void exact_float_atomics(Twin twin, float* out);  // (1)
void order_of_atomics(Twin twin, int* out);       // slots given by an int atomic; (64)

// barriers.cu, one block of 64.
void barrier_in_branch(Twin twin, int* out);
void two_barriers(Twin twin, int* out);
void uneven_loop(Twin twin, int* out);
void early_return(Twin twin, int* out);
void lane_not_named(Twin twin, int* out);
void lane_left(Twin twin, int* out);
void masks_differ(Twin twin, int* out);
void source_not_named(Twin twin, int* out);
void two_shuffles(Twin twin, int* out);
void barrier_against_shuffle(Twin twin, int* out);

// bounds.cu
void past_end(Twin twin, float* out, int64_t count);
void before_begin(Twin twin, float* out);
void past_shared(Twin twin, float* out);
void null_pointer(Twin twin, float* out);
void vector_tail(Twin twin, float* out, int64_t count);
void misaligned_vector(Twin twin, float* out);  // (8)
void shared_not_written(Twin twin, float* out);
void copy_values(const float* in, float* out, int64_t count);
void left_by_other_block(float* out);                                  // 2 blocks; (128)
void early_async_read(Twin twin, const float* in, float* out);         // (64)
void double_dynamic(int64_t count, float* out, int64_t shared_bytes);  // 64 threads
void declared_and_dynamic(float* out, int64_t dynamic_bytes);          // 40 KB declared; (64)

}  // namespace plumb::simt
