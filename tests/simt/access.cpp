// Every access of a kernel file. The compiler calls these __tsan_* functions before each one
// (-fsanitize=thread at compile time only; the sanitizer's library is not linked).
#include <link.h>

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "tests/simt/machine.h"
#include "tests/simt/memory.h"
#include "tests/simt/race.h"
#include "tests/simt/sites.h"

namespace plumb::simt {

SiteSlot site_slots[1u << kSiteBits];

namespace {

// An instruction that reaches both memories counts as two.
constexpr uint32_t kSharedPart = 1u << 16;

std::vector<const void*> site_pcs(1);

struct Access {
  uintptr_t address;
  uint32_t bytes;
  AccessKind kind;
  const void* pc;
};

const char* verb(AccessKind kind) {
  return kind == AccessKind::read ? "read" : kind == AccessKind::write ? "written" : "updated";
}

std::string where_in(const Buffer& buffer, uintptr_t address) {
  const int64_t offset = static_cast<int64_t>(address - buffer.begin);
  return (buffer.is_shared ? "shared array '" : "buffer '") + buffer.name + "' of " +
         std::to_string(buffer.end - buffer.begin) + " bytes, at byte " + std::to_string(offset);
}

void report_access(DefectKind kind, const Access& access, std::string detail) {
  report_here(kind, place_here(access.pc, verb(access.kind)), std::move(detail));
}

// The buffer that begins nearest before an address nobody owns.
const Buffer* buffer_before(Buffer* const* owner, uint64_t index) {
  for (uint64_t back = 0; back <= index && back < 4096; ++back) {
    if (owner[index - back] != nullptr) {
      return owner[index - back];
    }
  }
  return nullptr;
}

void report_stray(const Access& access, const Buffer* near) {
  report_access(
      DefectKind::out_of_bounds, access,
      std::to_string(access.bytes) + " bytes" +
          (near != nullptr ? " past " + where_in(*near, access.address) : " where no buffer is"));
}

// Constant tables of the program may be read.
bool is_program_data(uintptr_t address) {
  const auto holds = [](dl_phdr_info* info, size_t, void* wanted) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      const uintptr_t at = *static_cast<uintptr_t*>(wanted);
      if (info->dlpi_phdr[i].p_type == PT_LOAD && at >= begin &&
          at < begin + info->dlpi_phdr[i].p_memsz) {
        return 1;
      }
    }
    return 0;
  };
  return dl_iterate_phdr(holds, &address) != 0;
}

void access_elsewhere(const Access& access) {
  const Thread& first = machine.threads[0];
  const Thread& last = machine.threads[machine.thread_count - 1];
  if (access.address >= first.stack_begin && access.address < last.stack_end) {
    report_access(DefectKind::out_of_bounds, access, "local memory of another thread");
  } else if (access.kind != AccessKind::read || !is_program_data(access.address)) {
    report_access(DefectKind::out_of_bounds, access, "address is in no memory of the device");
    stop_launch();
  }
}

// Where an access lies in its sector: whole, since it is aligned and at most 16 bytes.
struct Piece {
  Sector* sector;
  uint32_t begin, end;  // bytes of the sector
  uint32_t mask() const {
    return static_cast<uint32_t>(((uint64_t{1} << end) - (uint64_t{1} << begin)));
  }
};

void check_filled(Buffer& buffer, const Access& access, const Piece& piece) {
  const uint32_t mask = piece.mask();
  if (access.kind == AccessKind::write) {
    piece.sector->filled |= mask;
  } else if ((piece.sector->filled & mask) != mask) {
    report_access(DefectKind::uninitialised, access, where_in(buffer, access.address));
  }
}

void count_unique(const Access& access, const Piece& piece) {
  Sector& sector = *piece.sector;
  Traffic& traffic = machine.traffic;
  if (sector.launch != machine.launch_stamp) {
    sector.launch = machine.launch_stamp;
    sector.bytes_read = sector.bytes_written = 0;
  }
  const auto touch = [mask = piece.mask()](uint32_t& touched, uint64_t& bytes, uint64_t& sectors) {
    bytes += static_cast<uint64_t>(std::popcount(mask & ~touched));
    sectors += touched == 0;
    touched |= mask;
  };
  if (access.kind != AccessKind::write) {
    touch(sector.bytes_read, traffic.unique_read, traffic.unique_sectors_read);
  }
  if (access.kind != AccessKind::read) {
    touch(sector.bytes_written, traffic.unique_written, traffic.unique_sectors_written);
  }
}

uint64_t block_at(uint32_t stamp) {
  uint64_t block = 0;
  for (const auto& [begin, number] : machine.block_stamps) {
    if (begin > stamp) {
      break;
    }
    block = number;
  }
  return block;
}

[[gnu::noinline]] void report_race(const Buffer& buffer, const Access& access, const Conflict& by) {
  const bool between = by.mark.stamp < machine.block_stamp;
  Place other{site_pc(by.mark.site), block_at(by.mark.stamp), by.mark.thread,
              by.mark.is_atomic ? "updated"
              : by.is_write     ? "written"
                                : "read"};
  report({between ? DefectKind::block_race : DefectKind::race, machine.kernel,
          place_here(access.pc, verb(access.kind)), std::move(other),
          where_in(buffer, access.address)});
}

void check_cells(Buffer& buffer, const Access& access, const Piece& piece, const Mark& mark) {
  Cell* const cells = Buffer::cells(piece.sector);
  const uint32_t last = (piece.end - 1) >> buffer.shift;
  for (uint32_t i = piece.begin >> buffer.shift; i <= last; ++i) {
    const Conflict conflict = access.kind == AccessKind::read
                                  ? touch_read(cells[i], mark, buffer.is_shared)
                                  : touch_write(cells[i], mark, buffer.is_shared);
    if (conflict.found) [[unlikely]] {
      report_race(buffer, access, conflict);
    }
  }
}

void check_shadow(Buffer& buffer, const Access& access, uint32_t site) {
  const uint64_t at = access.address - buffer.begin;
  const auto begin = static_cast<uint32_t>(at % kSectorBytes);
  const Piece piece{buffer.sector(at / kSectorBytes), begin, begin + access.bytes};
  check_filled(buffer, access, piece);
  check_cells(buffer, access, piece, mark_now(site, access.kind));
  if (!buffer.is_shared) {
    count_unique(access, piece);
  }
}

Buffer* owner_of(const Access& access) {
  const Memory& map = memory();
  if (access.address - map.arena < kArenaBytes) {
    const uint64_t page = (access.address - map.arena) >> kPageBits;
    if (map.page_owner[page] == nullptr) {
      report_stray(access, buffer_before(map.page_owner, page));
    }
    return map.page_owner[page];
  }
  const uint64_t place = (access.address - map.shared) >> kSharedBits;
  if (map.shared_owner[place] == nullptr) {
    report_stray(access, buffer_before(map.shared_owner, place));
  }
  return map.shared_owner[place];
}

void access_device(const Access& access, uint32_t part) {
  Buffer* const buffer = owner_of(access);
  if ((access.address & (access.bytes - 1)) != 0) {
    report_access(DefectKind::misaligned, access,
                  std::to_string(access.bytes) + " bytes" +
                      (buffer != nullptr ? " of " + where_in(*buffer, access.address) : ""));
    stop_launch();  // a device faults, and so may this machine
  }
  if (buffer == nullptr) {
    return;
  }
  if (access.address < buffer->begin || access.address + access.bytes > buffer->end) {
    report_stray(access, buffer);
    return;
  }
  if (buffer->is_freed) {
    report_access(DefectKind::use_after_free, access, where_in(*buffer, access.address));
    return;
  }
  const uint32_t site = site_of(access.pc, part + (buffer->is_shared ? kSharedPart : 0));
  check_shadow(*buffer, access, site);
  const uintptr_t base = buffer->is_shared ? memory().shared : memory().arena;
  machine.warp->traffic.add(
      static_cast<int>(machine.lane),
      {site, static_cast<uint32_t>(access.address - base), static_cast<uint8_t>(access.bytes),
       buffer->is_shared ? Space::shared : Space::global, access.kind != AccessKind::read});
}

void observe(const Access& access, uint32_t part) {
  if (access.address - memory().arena < kArenaBytes ||
      access.address - memory().shared < kSharedBytes) {
    access_device(access, part);
  } else {
    access_elsewhere(access);
  }
}

inline void on_access(const void* address, uint32_t bytes, AccessKind kind, const void* pc,
                      uint32_t part = 0) {
  if (!machine.is_observed) {
    return;  // host code
  }
  const auto at = reinterpret_cast<uintptr_t>(address);
  const Thread& thread = *machine.thread;
  if (at - thread.stack_begin < thread.stack_end - thread.stack_begin) {
    return;  // registers and local memory
  }
  const Unobserved here;
  observe({at, bytes, kind, pc}, part);
}

// Structs wider than 16 bytes: the device moves them in pieces.
void on_range(const void* address, uint64_t bytes, AccessKind kind, const void* pc) {
  const auto* at = static_cast<const char*>(address);
  uint32_t part = 0;
  while (bytes != 0) {
    uint32_t piece = 16;
    while (piece > bytes || (reinterpret_cast<uintptr_t>(at) & (piece - 1)) != 0) {
      piece /= 2;
    }
    on_access(at, piece, kind, pc, part++);
    at += piece;
    bytes -= piece;
  }
}

}  // namespace

uint32_t new_site(const void* pc, uint32_t part) {
  static std::map<std::pair<const void*, uint32_t>, uint32_t> known;
  const auto [entry, is_new] =
      known.try_emplace({pc, part}, static_cast<uint32_t>(site_pcs.size()));
  if (is_new) {
    site_pcs.push_back(pc);
  }
  const auto key = reinterpret_cast<uintptr_t>(pc) + part;
  site_slots[key * 0x9E3779B97F4A7C15u >> (64 - kSiteBits)] = {pc, part, entry->second};
  return entry->second;
}

const void* site_pc(uint32_t site) {
  return site_pcs[site];
}

void touch_device(const void* address, uint32_t bytes, AccessKind kind, const void* pc) {
  constexpr uint32_t kReadPart = 64, kWritePart = 65;  // the copy is no single instruction
  observe({reinterpret_cast<uintptr_t>(address), bytes, kind, pc},
          kind == AccessKind::read ? kReadPart : kWritePart);
}

void note_atomic(const void* address, size_t bytes, bool is_float) {
  ++machine.traffic.atomics;
  machine.traffic.float_atomics += is_float;
  on_access(address, static_cast<uint32_t>(bytes), AccessKind::atomic, __builtin_return_address(0));
}

}  // namespace plumb::simt

// NOLINTBEGIN: names of the compiler
using plumb::simt::AccessKind;
extern "C" {
void __tsan_init() {}
#define PLUMB_SIMT_HOOKS(bytes)                                                             \
  void __tsan_read##bytes(void* address) {                                                  \
    plumb::simt::on_access(address, bytes, AccessKind::read, __builtin_return_address(0));  \
  }                                                                                         \
  void __tsan_write##bytes(void* address) {                                                 \
    plumb::simt::on_access(address, bytes, AccessKind::write, __builtin_return_address(0)); \
  }                                                                                         \
  void __tsan_unaligned_read##bytes(void* address) {                                        \
    plumb::simt::on_access(address, bytes, AccessKind::read, __builtin_return_address(0));  \
  }                                                                                         \
  void __tsan_unaligned_write##bytes(void* address) {                                       \
    plumb::simt::on_access(address, bytes, AccessKind::write, __builtin_return_address(0)); \
  }
PLUMB_SIMT_HOOKS(1)
PLUMB_SIMT_HOOKS(2)
PLUMB_SIMT_HOOKS(4)
PLUMB_SIMT_HOOKS(8)
PLUMB_SIMT_HOOKS(16)
#undef PLUMB_SIMT_HOOKS
void __tsan_read_range(void* address, uint64_t bytes) {
  plumb::simt::on_range(address, bytes, AccessKind::read, __builtin_return_address(0));
}
void __tsan_write_range(void* address, uint64_t bytes) {
  plumb::simt::on_range(address, bytes, AccessKind::write, __builtin_return_address(0));
}
void __tsan_vptr_update(void*, void*) {}
}
// NOLINTEND
