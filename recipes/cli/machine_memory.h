#pragma once

namespace plumb {

// Bytes that processes may take here: the machine's memory, or less where a container limits it.
double machine_memory_bytes();

}  // namespace plumb
