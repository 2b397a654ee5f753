// Fails the n-th system call of files.cpp, once or from then on.
#pragma once
#include <cerrno>

#include "core/io/file_ops.h"

namespace plumb {

// torn_write: one byte of the n-th call is written and the next call fails.
enum class Fault { error, short_write, torn_write, interrupted };

struct FaultPlan {
  int fail_at = 0;  // the call that fails, from 1; 0: none
  bool is_sticky = false;
  int error_number = EIO;
  Fault fault = Fault::error;
};

// While it lives, the plan holds. One at a time.
class FaultyFiles {
 public:
  explicit FaultyFiles(const FaultPlan& plan);
  ~FaultyFiles();
  FaultyFiles(const FaultyFiles&) = delete;
  FaultyFiles& operator=(const FaultyFiles&) = delete;

  static int calls();     // so far
  static bool was_hit();  // the plan's call came
  static int fsyncs();    // calls of fsync so far
};

}  // namespace plumb
