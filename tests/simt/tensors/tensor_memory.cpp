#include "tests/simt/tensors/tensor_memory.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/simt/memory.h"

namespace plumb::simt {
namespace {

// Buffers are never given back: one that is freed serves the next tensor of its size class, for
// addresses of the harness's memory are used once.
class TensorMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) {
      return {nullptr, nullptr, &release, at::kCPU};
    }
    const std::lock_guard lock(mutex_);
    Buffer* const buffer = take(std::bit_ceil(std::max<size_t>(bytes, kLeast)));
    buffer->end = buffer->begin + bytes;
    buffer->is_freed = false;
    void* const data = reinterpret_cast<void*>(buffer->begin);
    std::memset(data, 0xFF, bytes);
    return {data, data, &release, at::kCPU};  // raw_allocate takes memory that is its own context
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  void set_element(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    element_ = bytes;
  }

 private:
  static constexpr size_t kLeast = 256;

  Buffer* take(size_t room) {
    std::vector<Buffer*>& free = free_[{room, element_}];
    if (free.empty()) {
      Buffer* const buffer = allocate_device(room, element_, "tensor");
      mark_written(buffer);  // the host's writes are not observed
      class_of_[buffer] = {room, element_};
      buffers_[reinterpret_cast<void*>(buffer->begin)] = buffer;
      return buffer;
    }
    Buffer* const buffer = free.back();
    free.pop_back();
    return buffer;
  }

  static void release(void* data);

  using SizeClass = std::pair<size_t, uint64_t>;
  std::mutex mutex_;
  std::map<SizeClass, std::vector<Buffer*>> free_;
  std::map<Buffer*, SizeClass> class_of_;
  std::map<void*, Buffer*> buffers_;  // by where they begin
  uint64_t element_ = 4;
};

// Tensors outlive main's objects.
TensorMemory& tensor_memory() {
  static TensorMemory* const memory = new TensorMemory;
  return *memory;
}

void TensorMemory::release(void* data) {
  if (data != nullptr) {
    TensorMemory& memory = tensor_memory();
    const std::lock_guard lock(memory.mutex_);
    Buffer* const buffer = memory.buffers_.at(data);
    free_device(buffer);
    memory.free_[memory.class_of_.at(buffer)].push_back(buffer);
  }
}

}  // namespace

void put_tensors_in_device_memory() {
  c10::SetCPUAllocator(&tensor_memory(), /*priority=*/200);
}

void set_tensor_element(uint64_t bytes) {
  tensor_memory().set_element(bytes);
}

}  // namespace plumb::simt
