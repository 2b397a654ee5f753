// What each rank was doing last, kept in memory that outlives it, so that the supervisor can say in
// which step a rank died even when SIGKILL left it no word. A report costs a copy of a few bytes;
// without a supervisor it does nothing.
#pragma once
#include <cstdint>
#include <string>

namespace plumb {

// ---- the ranks' side ----
void report_step(std::int64_t step, const char* phase);
void report_collective(const char* name, std::uint64_t sequence);
// This rank is about to fail because another one did; the supervisor then looks for that one.
void report_lost_peer();

// ---- the supervisor's side ----
struct RankReport {
  std::int64_t step = -1;  // -1: none reported
  std::string phase;
  std::string collective;
  std::uint64_t sequence = 0;  // 0: none reported
  bool lost_peer = false;
};

// The shared memory: an anonymous file, inherited by descriptor, that leaves nothing behind.
class StatusBoard {
 public:
  explicit StatusBoard(int ranks);
  ~StatusBoard();
  StatusBoard(const StatusBoard&) = delete;
  StatusBoard& operator=(const StatusBoard&) = delete;

  int descriptor() const { return descriptor_; }
  RankReport read(int rank) const;

 private:
  struct Slot;
  static Slot* own_slot();
  friend void report_step(std::int64_t, const char*);
  friend void report_collective(const char*, std::uint64_t);
  friend void report_lost_peer();

  int ranks_ = 0;
  int descriptor_ = -1;
  Slot* slots_ = nullptr;
};

// Name of the variable that carries the descriptor's number to the ranks.
inline constexpr const char* kStatusVariable = "PLUMB_STATUS_FD";

}  // namespace plumb
