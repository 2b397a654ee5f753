#include "tests/simt/traffic.h"

#include <algorithm>
#include <bit>

#include "tests/simt/memory.h"

namespace plumb::simt {
namespace {

constexpr int kLanes = 32;
constexpr uint32_t kBankBytes = 4, kBanks = 32;
constexpr uint32_t kPhaseBytes = kBankBytes * kBanks;  // what shared memory gives in a cycle

struct Offsets {
  std::array<uint32_t, kLanes> at;
  int count = 0;
};

// Those of the lanes in `lanes`, ascending, each once.
Offsets sorted_offsets(const std::array<uint32_t, kLanes>& offset, uint32_t lanes) {
  Offsets sorted;
  bool in_order = true;
  for (; lanes != 0; lanes &= lanes - 1) {
    const uint32_t next = offset[std::countr_zero(lanes)];
    in_order = in_order && (sorted.count == 0 || sorted.at[sorted.count - 1] < next);
    sorted.at[sorted.count++] = next;
  }
  if (!in_order) {
    const auto begin = sorted.at.begin(), end = begin + sorted.count;
    std::sort(begin, end);
    sorted.count = static_cast<int>(std::unique(begin, end) - begin);
  }
  return sorted;
}

// The most distinct words on one bank.
uint32_t bank_cycles(const Offsets& offsets, uint32_t bytes) {
  std::array<uint8_t, kBanks> words{};
  uint32_t cycles = 0, last_word = ~0u;
  for (int i = 0; i < offsets.count; ++i) {
    const uint32_t begin = offsets.at[i] / kBankBytes;
    const uint32_t end = (offsets.at[i] + bytes - 1) / kBankBytes;
    for (uint32_t word = begin; word <= end; ++word) {
      if (word != last_word) {
        cycles = std::max<uint32_t>(cycles, ++words[word % kBanks]);
        last_word = word;
      }
    }
  }
  return cycles;
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& other) {
  requests += other.requests;
  sectors += other.sectors;
  ideal_sectors += other.ideal_sectors;
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  unique_read += other.unique_read;
  unique_written += other.unique_written;
  unique_sectors_read += other.unique_sectors_read;
  unique_sectors_written += other.unique_sectors_written;
  shared_cycles += other.shared_cycles;
  ideal_shared_cycles += other.ideal_shared_cycles;
  atomics += other.atomics;
  float_atomics += other.float_atomics;
  return *this;
}

void WarpTraffic::grow(Site& site) {
  if (site.used == site.requests.size()) {
    site.requests.resize(site.used == 0 ? 8 : site.used * 2);
  }
  site.requests[site.used++].lanes = 0;
}

void WarpTraffic::count_global(const Site& site, const Request& request, Traffic& traffic) {
  const Offsets offsets = sorted_offsets(request.offset, request.lanes);
  const uint64_t bytes = static_cast<uint64_t>(offsets.count) * site.first.bytes;
  uint64_t sectors = 0, last = ~uint64_t{0};
  for (int i = 0; i < offsets.count; ++i) {
    const uint64_t begin = offsets.at[i] / kSectorBytes;
    const uint64_t end = (offsets.at[i] + site.first.bytes - 1) / kSectorBytes;
    sectors += end - begin + (begin != last ? 1 : 0);
    last = end;
  }
  ++traffic.requests;
  traffic.sectors += sectors;
  traffic.ideal_sectors += (bytes + kSectorBytes - 1) / kSectorBytes;
  (site.first.is_write ? traffic.bytes_written : traffic.bytes_read) += bytes;
}

void WarpTraffic::count_shared(const Site& site, const Request& request, Traffic& traffic) {
  // Accesses of 8 and 16 bytes go in 2 and 4 phases of neighbouring lanes.
  const int lanes_a_phase = std::min<int>(kLanes, kPhaseBytes / site.first.bytes);
  const uint32_t phase = lanes_a_phase == kLanes ? ~0u : (1u << lanes_a_phase) - 1;
  for (int first = 0; first < kLanes; first += lanes_a_phase) {
    const uint32_t lanes = request.lanes & (phase << first);
    if (lanes != 0) {
      traffic.shared_cycles += bank_cycles(sorted_offsets(request.offset, lanes), site.first.bytes);
      ++traffic.ideal_shared_cycles;
    }
  }
}

void WarpTraffic::count_into(Traffic& traffic) {
  for (const uint32_t number : touched_) {
    Site& site = sites_[number];
    for (uint32_t i = 0; i < site.used; ++i) {
      if (site.first.space == Space::global) {
        count_global(site, site.requests[i], traffic);
      } else {
        count_shared(site, site.requests[i], traffic);
      }
    }
    site.first.bytes = 0;
    site.executions = {};
    site.used = 0;
  }
  touched_.clear();
}

}  // namespace plumb::simt
