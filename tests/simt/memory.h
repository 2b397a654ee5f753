// Device memory and shared memory of the harness: every byte that a kernel may touch belongs to a
// Buffer, which knows its bounds, what has been written and who touched it last.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace plumb::simt {

// A touch of a place by a thread. `stamp` numbers the stretches between block barriers over the
// whole run, so shadow memory is never cleared: 0 is "never".
struct Mark {
  uint32_t stamp = 0;
  uint32_t thread : 10 = 0;
  uint32_t is_atomic : 1 = 0;
  uint32_t clock : 21 = 0;  // how many __syncwarp the thread had passed in its block
  uint32_t site = 0;        // Sites' number of the return address
};

// Shadow of 1, 2 or 4 bytes. Two readers are enough: of a set of unordered readers the second is
// taken from another warp where there is one, so a later writer misses neither.
struct Cell {
  Mark write, read, other_read;
};

inline constexpr uint64_t kSectorBytes = 32;

// Shadow of a sector, followed by its Cells, so that an access looks at one place. Bit i stands for
// byte i.
struct Sector {
  uint32_t filled = 0;  // bytes that hold a value
  uint32_t launch = 0;  // that the next two are of
  uint32_t bytes_read = 0, bytes_written = 0;
};

struct Buffer {
  uintptr_t begin = 0, end = 0;
  uint32_t shift = 2;  // log2 of the bytes a Cell stands for
  bool is_shared = false;
  bool is_freed = false;
  std::string name;
  uint8_t* shadow = nullptr;
  uint64_t sectors = 0;
  uint64_t sector_stride = 0;  // bytes of a Sector and its Cells

  Sector* sector(uint64_t number) {
    return reinterpret_cast<Sector*>(shadow + number * sector_stride);
  }
  static Cell* cells(Sector* sector) { return reinterpret_cast<Cell*>(sector + 1); }
};

inline constexpr uint64_t kArenaBytes = uint64_t{4} << 30;
inline constexpr uint64_t kSharedBytes = uint64_t{1} << 19;
inline constexpr uint32_t kPageBits = 12, kSharedBits = 4;
// Address ranges and who owns them: nullptr is nobody.
struct Memory {
  uintptr_t arena = 0, shared = 0;
  Buffer** page_owner = nullptr;    // kArenaBytes >> kPageBits
  Buffer** shared_owner = nullptr;  // kSharedBytes >> kSharedBits
};
const Memory& memory();

// Pages of its own for each buffer, with unowned ones between; addresses are not used again before
// reset_device_memory, so that what is freed stays recognisable. Bytes are 0xFF (a NaN) at first.
Buffer* allocate_device(uint64_t bytes, uint64_t element, std::string name);
void free_device(Buffer* buffer);
void mark_written(Buffer* buffer);  // by the host
void wait_for_device();             // before the host reads: on a GPU launches run on (gpu/)
void forget_written(void* shared, uint64_t bytes);  // poisons what a copy in flight will fill
void reset_device_memory();

// Shared arrays of the running launch: laid out at the first block's use, poisoned at each block's
// start.
Buffer* shared_buffer(const void* key, uint64_t bytes, uint64_t element, const char* name);
void poison_shared();
void reset_shared();
uint64_t shared_bytes_used();

}  // namespace plumb::simt
