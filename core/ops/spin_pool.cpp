#include "core/ops/spin_pool.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace plumb {
namespace {

constexpr std::chrono::microseconds kSpin{50};
constexpr int kLooksPerClock = 32;
constexpr std::size_t kCacheLine = 64;

void relax() {
#if defined(__SSE2__)
  __builtin_ia32_pause();
#endif
}

// Returns once `value` is no longer `old`: spins, then sleeps.
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> until;
  while (!until || Clock::now() < *until) {
    for (int i = 0; i < kLooksPerClock; ++i) {
      if (value.load(std::memory_order_acquire) != old) {
        return;
      }
      relax();
    }
    until = until.value_or(Clock::now() + kSpin);
  }
  value.wait(old, std::memory_order_acquire);
}

// One loop, on the stack of who asked for it.
struct Loop {
  detail::RangeCall range;
  int64_t total;
  int64_t parts;
  std::exception_ptr failure = {};
  std::mutex failure_lock = {};

  void run(int64_t part) {
    try {
      range.call(range.body, total * part / parts, total * (part + 1) / parts);
    } catch (...) {
      const std::lock_guard lock(failure_lock);
      failure = failure ? failure : std::current_exception();
    }
  }
};

class SpinPool {
 public:
  ~SpinPool() {
    for (const auto& worker : workers_) {
      post(*worker, nullptr);
      worker->thread.join();
    }
  }

  // False when the pool is busy: nothing was done then.
  bool run(Loop& loop) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock.owns_lock()) {
      return false;
    }
    while (static_cast<int64_t>(workers_.size()) + 1 < loop.parts) {
      start();
    }
    for (int64_t part = 1; part < loop.parts; ++part) {
      post(*workers_[part - 1], &loop);
    }
    loop.run(0);
    for (int64_t part = 1; part < loop.parts; ++part) {
      Worker& worker = *workers_[part - 1];
      const uint32_t turn = worker.posted.load(std::memory_order_relaxed);
      if (worker.take(turn)) {
        loop.run(part);  // the worker has not come to it: it sleeps, or others have its core
      } else {
        wait_while(worker.done, worker.done_before);
      }
      worker.done_before = worker.done.load(std::memory_order_acquire);
    }
    return true;
  }

 private:
  // Turns count the loops given to a worker. Who moves `taken` on to a turn runs that part: the
  // worker, or the caller once it is through with its own.
  struct alignas(kCacheLine) Worker {
    std::atomic<uint32_t> posted = 0;
    Loop* loop = nullptr;  // of turn `posted`; read by who took it
    alignas(kCacheLine) std::atomic<uint32_t> taken = 0;
    std::atomic<uint32_t> done = 0;                // loops that the worker has finished
    alignas(kCacheLine) uint32_t done_before = 0;  // the caller's: those before this loop
    std::thread thread = {};

    bool take(uint32_t turn) {
      uint32_t before = turn - 1;
      return taken.compare_exchange_strong(before, turn, std::memory_order_acq_rel);
    }
  };

  static void post(Worker& worker, Loop* loop) {
    worker.loop = loop;
    worker.posted.fetch_add(1, std::memory_order_release);
    worker.posted.notify_one();
  }

  void start() {
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
    const auto part = static_cast<int64_t>(workers_.size());
    worker.thread = std::thread([&worker, part] {
      for (uint32_t turn = 0;;) {
        wait_while(worker.posted, turn);
        turn = worker.posted.load(std::memory_order_acquire);
        if (!worker.take(turn)) {
          continue;
        }
        if (worker.loop == nullptr) {
          return;
        }
        worker.loop->run(part);
        worker.done.fetch_add(1, std::memory_order_release);
        worker.done.notify_one();
      }
    });
  }

  std::mutex busy_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

SpinPool& pool() {
  static SpinPool pool;
  return pool;
}

thread_local bool in_loop = false;

}  // namespace

void detail::spin_ranges(int64_t total, int64_t grain, const RangeCall& range) {
  const int64_t most = total / std::max<int64_t>(1, grain);
  Loop loop{range, total, std::min<int64_t>(at::get_num_threads(), most)};
  if (in_loop || loop.parts <= 1) {
    range.call(range.body, 0, total);
    return;
  }
  in_loop = true;
  const bool was_run = pool().run(loop);
  in_loop = false;
  if (!was_run) {
    range.call(range.body, 0, total);
  } else if (loop.failure) {
    std::rethrow_exception(loop.failure);
  }
}

}  // namespace plumb
