#include "core/dist/rank_status.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/error.h"

namespace plumb {
namespace {

using Label = std::array<char, 32>;  // the last byte stays NUL, so a torn write still ends

void set_label(Label& label, const char* text) {
  const std::size_t size = std::min(std::strlen(text), label.size() - 1);
  std::memcpy(label.data(), text, size);
  label[size] = '\0';
}

std::string get_label(const Label& label) {
  return {label.data(), ::strnlen(label.data(), label.size())};
}

}  // namespace

// The labels are plain bytes: the supervisor reads them of ranks that ended, or to describe a
// stalled one, and a torn label costs no more than a wrong word.
struct StatusBoard::Slot {
  std::atomic<std::int64_t> step{-1};
  std::atomic<std::uint64_t> sequence{0};
  std::atomic<bool> lost_peer{false};
  Label phase{};
  Label collective{};
};

StatusBoard::StatusBoard(int ranks) : ranks_(ranks) {
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);
  const std::size_t size = sizeof(Slot) * static_cast<std::size_t>(ranks);
  descriptor_ = ::memfd_create("plumb-ranks", MFD_CLOEXEC);
  void* memory = MAP_FAILED;
  if (descriptor_ >= 0 && ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0) {
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  }
  if (memory == MAP_FAILED) {
    const std::string why = std::strerror(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error("supervisor: no shared memory for the ranks' state: " + why, Exit::failed);
  }
  slots_ = static_cast<Slot*>(memory);
  for (int rank = 0; rank < ranks; ++rank) new (slots_ + rank) Slot();
}

StatusBoard::~StatusBoard() {
  ::munmap(slots_, sizeof(Slot) * static_cast<std::size_t>(ranks_));
  ::close(descriptor_);
}

RankReport StatusBoard::read(int rank) const {
  const Slot& slot = slots_[rank];
  return {slot.step, get_label(slot.phase), get_label(slot.collective), slot.sequence,
          slot.lost_peer};
}

StatusBoard::Slot* StatusBoard::own_slot() {
  static Slot* const slot = []() -> Slot* {
    const char* descriptor = std::getenv(kStatusVariable);
    const char* rank = std::getenv("RANK");
    if (descriptor == nullptr || rank == nullptr) return nullptr;
    const std::size_t end = sizeof(Slot) * (static_cast<std::size_t>(std::atoi(rank)) + 1);
    struct stat file {};
    const int number = std::atoi(descriptor);
    if (::fstat(number, &file) != 0 || static_cast<std::size_t>(file.st_size) < end) return nullptr;
    void* memory = ::mmap(nullptr, end, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0);
    if (memory == MAP_FAILED) return nullptr;
    return static_cast<Slot*>(memory) + std::atoi(rank);
  }();
  return slot;
}

void report_step(std::int64_t step, const char* phase) {
  if (auto* slot = StatusBoard::own_slot()) {
    set_label(slot->phase, phase);
    slot->step = step;
  }
}

void report_collective(const char* name, std::uint64_t sequence) {
  if (auto* slot = StatusBoard::own_slot()) {
    set_label(slot->collective, name);
    slot->sequence = sequence;
  }
}

void report_lost_peer() {
  if (auto* slot = StatusBoard::own_slot()) slot->lost_peer = true;
}

}  // namespace plumb
