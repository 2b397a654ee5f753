// Memory traffic of a launch, counted as the hardware counts it: the k-th execution of an access by
// the 32 lanes of a warp is one request, which moves whole 32-byte sectors of global memory, or
// takes a cycle for each 4-byte word that falls on the same bank of shared memory.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace plumb::simt {

struct Traffic {
  uint64_t requests = 0;       // warp-wide accesses to global memory
  uint64_t sectors = 0;        // 32-byte sectors they move
  uint64_t ideal_sectors = 0;  // the fewest that hold the distinct bytes of each request
  uint64_t bytes_read = 0, bytes_written = 0;    // distinct bytes of each request, summed
  uint64_t unique_read = 0, unique_written = 0;  // distinct bytes of the launch
  uint64_t unique_sectors_read = 0, unique_sectors_written = 0;
  uint64_t shared_cycles = 0;  // cycles of shared accesses
  uint64_t ideal_shared_cycles = 0;
  uint64_t atomics = 0, float_atomics = 0;  // executions, by threads

  Traffic& operator+=(const Traffic& other);

  uint64_t unique_bytes() const { return unique_read + unique_written; }
  uint64_t requested_bytes() const { return bytes_read + bytes_written; }
  double sector_efficiency() const {
    return sectors == 0 ? 1.0 : static_cast<double>(ideal_sectors) / static_cast<double>(sectors);
  }
  double conflict_factor() const {
    return ideal_shared_cycles == 0
               ? 1.0
               : static_cast<double>(shared_cycles) / static_cast<double>(ideal_shared_cycles);
  }
};

enum class Space : uint8_t { global, shared };

struct TrafficAccess {
  uint32_t site;    // number of the instruction
  uint32_t offset;  // bytes into the arena or into shared memory
  uint8_t bytes;
  Space space;
  bool is_write;
};

// Gathers one warp's accesses between block barriers, then counts them.
class WarpTraffic {
 public:
  void add(int lane, const TrafficAccess& access) {
    if (access.site >= sites_.size()) {
      sites_.resize(access.site + 64);
    }
    Site& site = sites_[access.site];
    if (site.first.bytes == 0) {
      site.first = access;
      touched_.push_back(access.site);
    }
    const uint32_t index = site.executions[lane]++;
    if (index >= site.used) {
      grow(site);
    }
    Request& request = site.requests[index];
    request.lanes |= 1u << lane;
    request.offset[lane] = access.offset;
  }
  void count_into(Traffic& traffic);

 private:
  struct Request {
    uint32_t lanes;
    std::array<uint32_t, 32> offset;
  };
  struct Site {
    TrafficAccess first{};
    std::array<uint32_t, 32> executions{};
    std::vector<Request> requests;
    uint32_t used = 0;
  };

  static void grow(Site& site);
  static void count_global(const Site& site, const Request& request, Traffic& traffic);
  static void count_shared(const Site& site, const Request& request, Traffic& traffic);

  std::vector<Site> sites_;
  std::vector<uint32_t> touched_;
};

}  // namespace plumb::simt
