// ggml's element types that Plumb reads and writes, bit for bit as ggml's reference code and the
// `gguf` package quantise (block layout: ggml-common.h). A row is made of blocks: 1 value for f32,
// f16 and bf16, 32 for q8_0 (an f16 scale d, 32 signed bytes: x = d q) and q4_0 (an f16 scale d, 32
// nibbles: x = d (q - 8); byte i holds values i and, above, i + 16).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plumb {

enum class GgmlType : std::uint32_t { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8, bf16 = 30 };

std::optional<GgmlType> ggml_type_of(std::uint32_t number);
std::string_view ggml_type_name(GgmlType type);  // "q8_0"
std::int64_t ggml_block_values(GgmlType type);   // values a block
std::int64_t ggml_block_bytes(GgmlType type);

// Appends the blocks of `values`, whose number must be whole blocks and which must not exceed
// ggml_largest(type) in size.
void ggml_encode(GgmlType type, std::span<const float> values, std::string& bytes);

// `values` from its blocks; bytes.size() must be theirs.
void ggml_decode(GgmlType type, std::string_view bytes, std::span<float> values);

// The largest value that the type can hold: beyond it a scale or value would become infinite.
float ggml_largest(GgmlType type);

// How far decode(encode(x)) may lie from x in a block whose largest size is `block_largest`.
double ggml_error_bound(GgmlType type, double x, double block_largest);

// Rounded to the nearest, ties to even, as IEEE 754 and every converter do.
std::uint16_t to_half(float value);
float from_half(std::uint16_t bits);
std::uint16_t to_bfloat16(float value);
float from_bfloat16(std::uint16_t bits);

}  // namespace plumb
