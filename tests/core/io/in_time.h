// "Under a second" on any machine: what is measured is this thread's processor time, which does not
// grow because others compute too.
#pragma once
#include <gtest/gtest.h>
#include <time.h>

#include "tests/core/io/temp_folder.h"

namespace plumb {

// As error_of; a failure when it takes a second.
template <class Action>
std::string error_in_time(Action&& action) {
  const auto seconds = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  const double started = seconds();
  const std::string error = error_of(action);
  EXPECT_LT(seconds() - started, 1.0) << error;
  return error;
}

}  // namespace plumb
