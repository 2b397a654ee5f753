// Tasks over the threads of ATen's pool, each at home on one of them.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace plumb {

// body(task) for all tasks, on at most `threads` threads. Task::home in [0, threads): the thread
// that takes it, in the order given; one that is through with its own takes what others have not
// begun.
template <class Task, class Body>
void for_shared(int64_t threads, const std::vector<Task>& tasks, const Body& body) {
  const auto count = std::ssize(tasks);
  if (threads < 2 || count < 2) {
    for (const Task& task : tasks) {
      body(task);
    }
    return;
  }
  std::vector<std::atomic<bool>> is_taken(count);
  const auto take = [&](int64_t i) {
    if (!is_taken[i].exchange(true, std::memory_order_relaxed)) {
      body(tasks[i]);
    }
  };
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < count; ++i) {
      if (tasks[i].home >= begin && tasks[i].home < end) {
        take(i);
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      take(i);
    }
  });
}

}  // namespace plumb
