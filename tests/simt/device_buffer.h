// Device memory of a test, typed.
#pragma once
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/simt/memory.h"
#include "tests/simt/run.h"

namespace plumb::simt {

template <class T>
class DeviceBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // Holds nothing yet: reading it before a kernel has written is a defect, and its bytes are NaNs.
  DeviceBuffer(int64_t count, std::string name)
      : buffer_(
            allocate_device(static_cast<uint64_t>(count) * sizeof(T), sizeof(T), std::move(name))),
        count_(count) {}
  DeviceBuffer(const std::vector<T>& values, std::string name)
      : DeviceBuffer(static_cast<int64_t>(values.size()), std::move(name)) {
    if (!values.empty()) {
      std::memcpy(data(), values.data(), values.size() * sizeof(T));
    }
    mark_written(buffer_);
  }
  // What is left in it is compared between schedules.
  ~DeviceBuffer() { free(); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() { return reinterpret_cast<T*>(buffer_->begin); }
  int64_t size() const { return count_; }
  std::vector<T> host() const {
    wait_for_device();
    const T* const begin = reinterpret_cast<const T*>(buffer_->begin);
    return std::vector<T>(begin, begin + count_);
  }
  void free() {
    if (!buffer_->is_freed) {
      wait_for_device();
      add_contents(buffer_->name, data(), static_cast<uint64_t>(count_) * sizeof(T));
      free_device(buffer_);
    }
  }

 private:
  Buffer* buffer_;
  int64_t count_;
};

}  // namespace plumb::simt
