// Numbers as people read them.
#pragma once
#include <cstdint>
#include <string>

namespace plumb {

std::string human_duration(double seconds);  // "4.2 s", "3 min 05 s", "2 h 07 min"
std::string human_bytes(double bytes);       // "512 MB", "1.3 GB", in powers of 1000
std::string human_count(double count);       // "987", "12.3k", "4.6M"
int64_t peak_memory_bytes();                 // resident, of this process (getrusage)

}  // namespace plumb
