#include "tests/simt/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace plumb::simt {
namespace {

constexpr uint64_t kGap = 64u << kPageBits;  // between buffers: a stride too far lands in nothing
constexpr uint64_t kSharedGap = 128;         // all banks, so that an array starts at bank 0

uint8_t* reserve(uint64_t bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    throw std::runtime_error("simt: cannot reserve address space for device memory");
  }
  madvise(at, bytes, MADV_HUGEPAGE);
  return static_cast<uint8_t*>(at);
}

Memory create() {
  Memory memory;
  memory.arena = reinterpret_cast<uintptr_t>(reserve(kArenaBytes));
  memory.shared = reinterpret_cast<uintptr_t>(reserve(kSharedBytes));
  memory.page_owner =
      reinterpret_cast<Buffer**>(reserve((kArenaBytes >> kPageBits) * sizeof(Buffer*)));
  memory.shared_owner =
      reinterpret_cast<Buffer**>(reserve((kSharedBytes >> kSharedBits) * sizeof(Buffer*)));
  return memory;
}

// Shadow memory, handed out from one end and zeroed again when it is used again: page faults would
// cost more than all checks. Shared arrays' shadow lives in a region of its own, reset each launch.
class ShadowPool {
 public:
  explicit ShadowPool(uint64_t bytes) : bytes_(bytes) {}
  uint8_t* take(uint64_t bytes) {
    if (memory_ == nullptr) {
      memory_ = reserve(bytes_);
    }
    if (used_ + bytes > bytes_) {
      throw std::runtime_error("simt: a test holds more device memory than can be shadowed");
    }
    uint8_t* const at = memory_ + used_;
    std::memset(at, 0, std::min(bytes, dirty_ > used_ ? dirty_ - used_ : 0));
    used_ += (bytes + 63) / 64 * 64;
    dirty_ = std::max(dirty_, used_);
    return at;
  }
  void reset() { used_ = 0; }

 private:
  uint64_t bytes_, used_ = 0, dirty_ = 0;
  uint8_t* memory_ = nullptr;
};

ShadowPool device_shadow(kArenaBytes * 10), shared_shadow(kSharedBytes * 64);

void poison(Buffer& buffer) {
  std::memset(reinterpret_cast<void*>(buffer.begin), 0xFF, buffer.end - buffer.begin);
}

void set_filled(Buffer& buffer, uint32_t bits) {
  for (uint64_t i = 0; i < buffer.sectors; ++i) {
    buffer.sector(i)->filled = bits;
  }
}

std::unique_ptr<Buffer> new_buffer(uintptr_t begin, uint64_t bytes, uint64_t element,
                                   ShadowPool& pool) {
  auto buffer = std::make_unique<Buffer>();
  buffer->begin = begin;
  buffer->end = begin + bytes;
  buffer->shift = element == 1 ? 0 : element == 2 ? 1 : 2;
  buffer->sectors = bytes / kSectorBytes + 1;
  buffer->sector_stride = sizeof(Sector) + (kSectorBytes >> buffer->shift) * sizeof(Cell);
  buffer->shadow = pool.take(buffer->sectors * buffer->sector_stride);
  poison(*buffer);
  return buffer;
}

struct SharedSlot {
  const void* key;
  std::unique_ptr<Buffer> buffer;
};

std::vector<std::unique_ptr<Buffer>> device_buffers;
std::vector<SharedSlot> shared_slots;
uint64_t arena_used = kGap;
uint64_t shared_used = kSharedGap;

}  // namespace

const Memory& memory() {
  static const Memory memory = create();
  return memory;
}

Buffer* allocate_device(uint64_t bytes, uint64_t element, std::string name) {
  const uint64_t page = uint64_t{1} << kPageBits;
  const uint64_t room = (bytes + page - 1) / page * page;
  if (arena_used + room + kGap > kArenaBytes) {
    throw std::runtime_error("simt: a test may hold 4 GB of device memory, buffer '" + name +
                             "' is past that");
  }
  auto buffer = new_buffer(memory().arena + arena_used, bytes, element, device_shadow);
  buffer->name = std::move(name);
  for (uint64_t at = 0; at < room; at += page) {
    memory().page_owner[(arena_used + at) >> kPageBits] = buffer.get();
  }
  arena_used += room + kGap;
  device_buffers.push_back(std::move(buffer));
  return device_buffers.back().get();
}

void free_device(Buffer* buffer) {
  buffer->is_freed = true;
}

void mark_written(Buffer* buffer) {
  set_filled(*buffer, ~0u);
}

void wait_for_device() {}

void forget_written(void* shared, uint64_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(shared);
  Buffer* const buffer = at - memory().shared < kSharedBytes
                             ? memory().shared_owner[(at - memory().shared) >> kSharedBits]
                             : nullptr;
  if (buffer != nullptr && at >= buffer->begin && at + bytes <= buffer->end) {
    const uint64_t offset = at - buffer->begin;  // a copy of 4, 8 or 16 bytes lies in a sector
    const uint32_t mask = ((1u << bytes) - 1) << (offset % kSectorBytes);
    buffer->sector(offset / kSectorBytes)->filled &= ~mask;
    std::memset(shared, 0xFF, bytes);
  }
}

void reset_device_memory() {
  std::memset(memory().page_owner, 0, (arena_used >> kPageBits) * sizeof(Buffer*));
  device_buffers.clear();
  device_shadow.reset();
  arena_used = kGap;
}

Buffer* shared_buffer(const void* key, uint64_t bytes, uint64_t element, const char* name) {
  for (const SharedSlot& slot : shared_slots) {
    if (slot.key == key) {
      return slot.buffer.get();
    }
  }
  const uint64_t room = (bytes + kSharedGap - 1) / kSharedGap * kSharedGap;
  if (shared_used + room + kSharedGap > kSharedBytes) {
    throw std::runtime_error("simt: shared array '" + std::string(name) + "' of " +
                             std::to_string(bytes) + " bytes is more than any device has");
  }
  auto buffer = new_buffer(memory().shared + shared_used, bytes, element, shared_shadow);
  buffer->is_shared = true;
  buffer->name = name;
  for (uint64_t at = 0; at < room; at += uint64_t{1} << kSharedBits) {
    memory().shared_owner[(shared_used + at) >> kSharedBits] = buffer.get();
  }
  shared_used += room + kSharedGap;
  shared_slots.push_back({key, std::move(buffer)});
  return shared_slots.back().buffer.get();
}

void poison_shared() {
  for (const SharedSlot& slot : shared_slots) {
    poison(*slot.buffer);
    set_filled(*slot.buffer, 0);
  }
}

void reset_shared() {
  std::memset(memory().shared_owner, 0, (shared_used >> kSharedBits) * sizeof(Buffer*));
  shared_slots.clear();
  shared_shadow.reset();
  shared_used = kSharedGap;
}

uint64_t shared_bytes_used() {
  uint64_t bytes = 0;
  for (const SharedSlot& slot : shared_slots) {
    bytes += slot.buffer->end - slot.buffer->begin;
  }
  return bytes;
}

}  // namespace plumb::simt
