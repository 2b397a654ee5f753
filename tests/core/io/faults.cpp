#include "tests/core/io/faults.h"

#include <algorithm>

namespace plumb {
namespace {

FaultPlan active_plan;
int call_count = 0;
int fsync_count = 0;

// Whether this call is to go wrong; counts it.
bool strikes() {
  ++call_count;
  const bool is_due =
      active_plan.is_sticky ? call_count >= active_plan.fail_at : call_count == active_plan.fail_at;
  return active_plan.fail_at > 0 && is_due;
}

bool fails(bool can_be_interrupted) {
  if (!strikes()) return false;
  if (active_plan.fault == Fault::short_write || active_plan.fault == Fault::torn_write)
    return false;
  if (active_plan.fault == Fault::interrupted && !can_be_interrupted) return false;
  errno = active_plan.fault == Fault::interrupted ? EINTR : active_plan.error_number;
  return true;
}

int faulty_open(const char* path, int flags, mode_t mode) {
  return fails(true) ? -1 : files::kSystemFileOps.open(path, flags, mode);
}

ssize_t faulty_write(int descriptor, const void* bytes, std::size_t count) {
  if (active_plan.fault == Fault::torn_write) {
    if (strikes()) return files::kSystemFileOps.write(descriptor, bytes, 1);
    if (call_count != active_plan.fail_at + 1) {
      return files::kSystemFileOps.write(descriptor, bytes, count);
    }
    errno = active_plan.error_number;
    return -1;
  }
  if (active_plan.fault == Fault::short_write) {
    const std::size_t some = strikes() ? std::min<std::size_t>(count, 1) : count;
    return files::kSystemFileOps.write(descriptor, bytes, some);
  }
  return fails(true) ? -1 : files::kSystemFileOps.write(descriptor, bytes, count);
}

int faulty_fsync(int descriptor) {
  ++fsync_count;
  return fails(false) ? -1 : files::kSystemFileOps.fsync(descriptor);
}

int faulty_ftruncate(int descriptor, off_t size) {
  return fails(false) ? -1 : files::kSystemFileOps.ftruncate(descriptor, size);
}

int faulty_close(int descriptor) {
  const bool is_failure = fails(false);
  const int error_number = errno;
  const int result = files::kSystemFileOps.close(descriptor);  // Linux closes it all the same
  errno = error_number;
  return is_failure ? -1 : result;
}

int faulty_rename(const char* from, const char* to) {
  return fails(false) ? -1 : files::kSystemFileOps.rename(from, to);
}

int faulty_mkdir(const char* path, mode_t mode) {
  return fails(false) ? -1 : files::kSystemFileOps.mkdir(path, mode);
}

}  // namespace

FaultyFiles::FaultyFiles(const FaultPlan& plan) {
  active_plan = plan;
  call_count = 0;
  fsync_count = 0;
  files::file_ops() = {faulty_open,  faulty_write,  faulty_fsync, faulty_ftruncate,
                       faulty_close, faulty_rename, faulty_mkdir};
}

FaultyFiles::~FaultyFiles() {
  files::file_ops() = files::kSystemFileOps;
}

int FaultyFiles::calls() {
  return call_count;
}

bool FaultyFiles::was_hit() {
  return active_plan.fail_at > 0 && call_count >= active_plan.fail_at;
}

int FaultyFiles::fsyncs() {
  return fsync_count;
}

}  // namespace plumb
