// Small numbers for instructions (their return addresses), so that shadow memory can name them.
#pragma once
#include <cstdint>

namespace plumb::simt {

uint32_t new_site(const void* pc, uint32_t part);
const void* site_pc(uint32_t site);

struct SiteSlot {
  const void* pc = nullptr;
  uint32_t part = 0;
  uint32_t site = 0;
};
inline constexpr uint32_t kSiteBits = 16;
extern SiteSlot site_slots[1u << kSiteBits];

// `part` tells apart the pieces of an access that is wider than 16 bytes.
inline uint32_t site_of(const void* pc, uint32_t part) {
  const auto key = reinterpret_cast<uintptr_t>(pc) + part;
  const SiteSlot& slot = site_slots[key * 0x9E3779B97F4A7C15u >> (64 - kSiteBits)];
  return slot.pc == pc && slot.part == part ? slot.site : new_site(pc, part);
}

}  // namespace plumb::simt
