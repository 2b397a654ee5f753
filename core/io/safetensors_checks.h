// What reader and writer both hold tensors to.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/dtype.h"

namespace plumb {

// "" or what is wrong: "is empty", "holds a path separator", ...
std::string tensor_name_problem(std::string_view name);

// Bytes of a tensor; nullopt when the product of the extents that are not 0 overflows 63 bits.
std::optional<std::uint64_t> checked_bytes(Dtype dtype, const std::vector<std::int64_t>& shape);

}  // namespace plumb
