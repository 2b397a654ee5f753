#include "core/ops/spin_pool.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace plumb {
namespace {

class SpinPool : public testing::Test {
 protected:
  void TearDown() override { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

TEST_F(SpinPool, EveryItemComesOnceWhateverTheThreads) {
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    for (const int64_t total : {0, 1, 2, 3, 4, 5, 97}) {
      for (const int64_t grain : {0, 1, 3, 200}) {
        std::vector<std::atomic<int>> times(total);
        spin_for(total, grain, [&](int64_t begin, int64_t end) {
          EXPECT_GE(end - begin, std::min(total, grain));
          for (int64_t i = begin; i < end; ++i) {
            ++times[i];
          }
        });
        for (int64_t i = 0; i < total; ++i) {
          EXPECT_EQ(times[i], 1) << i << " of " << total << ", " << threads << " threads";
        }
      }
    }
  }
}

// Ranges that wait for one another end only if each has a thread.
TEST_F(SpinPool, RangesRunAtTheSameTime) {
  at::set_num_threads(3);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> here = 0;
    spin_for(3, 1, [&](int64_t, int64_t) {
      ++here;
      while (here < 3) {
        std::this_thread::yield();
      }
    });
    if (round % 50 == 0) {  // and after workers fell asleep
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

TEST_F(SpinPool, LoopsInsideLoopsRunWhereTheyAre) {
  at::set_num_threads(2);
  std::atomic<int> items = 0;
  spin_for(8, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto here = std::this_thread::get_id();
      spin_for(16, 1, [&](int64_t first, int64_t last) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        items += static_cast<int>(last - first);
      });
    }
  });
  EXPECT_EQ(items, 8 * 16);
}

TEST_F(SpinPool, ThreadsMayAskAtTheSameTime) {
  at::set_num_threads(2);
  std::atomic<int64_t> sum = 0;
  const auto many = [&sum] {
    at::set_num_threads(2);
    for (int round = 0; round < 300; ++round) {
      spin_for(10, 1, [&sum](int64_t begin, int64_t end) { sum += end - begin; });
    }
  };
  std::thread other(many);
  many();
  other.join();
  EXPECT_EQ(sum, 2 * 300 * 10);
}

TEST_F(SpinPool, ThrowsWhatARangeThrewAndGoesOn) {
  at::set_num_threads(2);
  for (const int64_t bad : {0, 9}) {  // of the caller's range, of a worker's
    const auto throwing = [bad](int64_t begin, int64_t end) {
      if (begin <= bad && bad < end) {
        throw std::runtime_error("item " + std::to_string(bad));
      }
    };
    EXPECT_THROW(spin_for(10, 1, throwing), std::runtime_error);
    int64_t items = 0;
    spin_for(1, 1, [&items](int64_t begin, int64_t end) { items += end - begin; });
    EXPECT_EQ(items, 1);
  }
}

}  // namespace
}  // namespace plumb
