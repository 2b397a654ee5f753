// Element types of tensor files, by safetensors' names.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace plumb {

enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

std::string_view dtype_name(Dtype dtype);              // "F32"
std::size_t dtype_size(Dtype dtype);                   // bytes an element
std::optional<Dtype> dtype_of(std::string_view name);  // upper case, as the format writes it

}  // namespace plumb
