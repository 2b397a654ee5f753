// Independent work over an index, by a few threads.
#pragma once
#include <cstddef>
#include <functional>

namespace plumb::text {

int thread_count(int asked);  // 0 or less: one a core

// Calls work(i) for each i below `count`, in no order. The first exception ends it and is thrown.
void for_each_index(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace plumb::text
