// Device memory and shared memory of the harness: every byte that a kernel may touch belongs to a
// Buffer, which knows its bounds, what has been written and who touched it last.
#pragma once
#include <cstdint>
#include <cstdlib>
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
  uint32_t launch_read = 0, launch_written = 0;  // last launch that did
};

template <class T>
struct FreeMemory {
  void operator()(T* memory) const { std::free(memory); }
};
// Zeroed on first touch, so that untouched shadow costs nothing.
template <class T>
using ZeroArray = std::unique_ptr<T[], FreeMemory<T>>;

struct Buffer {
  uintptr_t begin = 0, end = 0;
  uint32_t shift = 2;  // log2 of the bytes a Cell stands for
  bool is_shared = false;
  bool is_freed = false;
  std::string name;
  ZeroArray<uint8_t> written;  // a byte a byte
  ZeroArray<Cell> cells;
  ZeroArray<uint32_t> sector_read, sector_written;  // last launch, a 32-byte sector
};

inline constexpr uint64_t kArenaBytes = uint64_t{4} << 30;
inline constexpr uint64_t kSharedBytes = uint64_t{1} << 19;
inline constexpr uint32_t kPageBits = 12, kSharedBits = 4;
inline constexpr uint64_t kSectorBytes = 32;

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
void mark_written(Buffer* buffer);                  // by the host
void forget_written(void* shared, uint64_t bytes);  // poisons what a copy in flight will fill
void reset_device_memory();

// Shared arrays of the running launch: laid out at the first block's use, poisoned at each block's
// start.
Buffer* shared_buffer(const void* key, uint64_t bytes, uint64_t element, const char* name);
void poison_shared();
void reset_shared();
uint64_t shared_bytes_used();

}  // namespace plumb::simt
