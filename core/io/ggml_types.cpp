#include "core/io/ggml_types.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace plumb {
namespace {

constexpr std::int64_t kQuantBlock = 32;
constexpr std::size_t kScaleBytes = 2;

struct TypeRow {
  GgmlType type;
  std::string_view name;
  std::int64_t block_values;
  std::int64_t block_bytes;
};

constexpr std::array<TypeRow, 5> kTypes = {{{GgmlType::f32, "f32", 1, 4},
                                            {GgmlType::f16, "f16", 1, 2},
                                            {GgmlType::q4_0, "q4_0", kQuantBlock, 18},
                                            {GgmlType::q8_0, "q8_0", kQuantBlock, 34},
                                            {GgmlType::bf16, "bf16", 1, 2}}};

const TypeRow& row_of(GgmlType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [type](const TypeRow& row) { return row.type == type; });
}

void put_half(std::uint16_t bits, char* out) {
  std::memcpy(out, &bits, sizeof(bits));
}

std::uint16_t get_half(const char* in) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, in, sizeof(bits));
  return bits;
}

// Of a scale so small that its reciprocal overflows, 0: as an f16 it is 0 too.
float inverse_of(float scale) {
  const float inverse = 1.0F / scale;
  return std::isfinite(inverse) ? inverse : 0.0F;
}

// d = max |x| / 127, q = round(x / d), halves away from zero. Divisions by d are one multiplication
// by its f32 reciprocal, in the reference as here: other orders give other bits.
void encode_q8_0(const float* x, char* out) {
  float largest = 0;
  for (std::int64_t i = 0; i < kQuantBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
  const float scale = largest / 127;
  const float inverse = inverse_of(scale);
  put_half(to_half(scale), out);
  for (std::int64_t i = 0; i < kQuantBlock; ++i) {
    out[kScaleBytes + i] = static_cast<char>(std::roundf(x[i] * inverse));
  }
}

// d = (the value of largest size, sign kept) / -8, so that this value is exact at q = 0;
// q = floor(x / d + 8.5), at most 15.
void encode_q4_0(const float* x, char* out) {
  float largest = 0;
  for (std::int64_t i = 0; i < kQuantBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
  }
  const float scale = largest / -8;
  const float inverse = inverse_of(scale);
  put_half(to_half(scale), out);
  const auto quant = [inverse](float value) {
    return std::min(15, static_cast<int>(value * inverse + 8.5F));
  };
  for (std::int64_t i = 0; i < kQuantBlock / 2; ++i) {
    out[kScaleBytes + i] = static_cast<char>(quant(x[i]) | quant(x[i + kQuantBlock / 2]) << 4);
  }
}

void decode_q8_0(const char* in, float* x) {
  const float scale = from_half(get_half(in));
  for (std::int64_t i = 0; i < kQuantBlock; ++i) {
    x[i] = static_cast<float>(static_cast<signed char>(in[kScaleBytes + i])) * scale;
  }
}

void decode_q4_0(const char* in, float* x) {
  const float scale = from_half(get_half(in));
  for (std::int64_t i = 0; i < kQuantBlock / 2; ++i) {
    const auto byte = static_cast<unsigned char>(in[kScaleBytes + i]);
    x[i] = static_cast<float>((byte & 15) - 8) * scale;
    x[i + kQuantBlock / 2] = static_cast<float>((byte >> 4) - 8) * scale;
  }
}

void encode_block(GgmlType type, const float* x, char* out) {
  switch (type) {
    case GgmlType::f32:
      std::memcpy(out, x, sizeof(float));
      return;
    case GgmlType::f16:
      return put_half(to_half(*x), out);
    case GgmlType::bf16:
      return put_half(to_bfloat16(*x), out);
    case GgmlType::q8_0:
      return encode_q8_0(x, out);
    case GgmlType::q4_0:
      return encode_q4_0(x, out);
  }
}

void decode_block(GgmlType type, const char* in, float* x) {
  switch (type) {
    case GgmlType::f32:
      std::memcpy(x, in, sizeof(float));
      return;
    case GgmlType::f16:
      *x = from_half(get_half(in));
      return;
    case GgmlType::bf16:
      *x = from_bfloat16(get_half(in));
      return;
    case GgmlType::q8_0:
      return decode_q8_0(in, x);
    case GgmlType::q4_0:
      return decode_q4_0(in, x);
  }
}

}  // namespace

std::optional<GgmlType> ggml_type_of(std::uint32_t number) {
  for (const TypeRow& row : kTypes) {
    if (static_cast<std::uint32_t>(row.type) == number) return row.type;
  }
  return std::nullopt;
}

std::string_view ggml_type_name(GgmlType type) {
  return row_of(type).name;
}

std::int64_t ggml_block_values(GgmlType type) {
  return row_of(type).block_values;
}

std::int64_t ggml_block_bytes(GgmlType type) {
  return row_of(type).block_bytes;
}

void ggml_encode(GgmlType type, std::span<const float> values, std::string& bytes) {
  const TypeRow& row = row_of(type);
  const std::size_t blocks = values.size() / row.block_values;
  std::size_t at = bytes.size();
  bytes.resize(at + blocks * row.block_bytes);
  for (std::size_t i = 0; i < blocks; ++i, at += row.block_bytes) {
    encode_block(type, values.data() + i * row.block_values, bytes.data() + at);
  }
}

void ggml_decode(GgmlType type, std::string_view bytes, std::span<float> values) {
  const TypeRow& row = row_of(type);
  const std::size_t blocks = values.size() / row.block_values;
  for (std::size_t i = 0; i < blocks; ++i) {
    decode_block(type, bytes.data() + i * row.block_bytes, values.data() + i * row.block_values);
  }
}

float ggml_largest(GgmlType type) {
  constexpr float kLargestHalf = 65504;
  switch (type) {
    case GgmlType::f16:
      return kLargestHalf;
    case GgmlType::q8_0:
      return kLargestHalf * 127;
    case GgmlType::q4_0:
      return kLargestHalf * 8;
    case GgmlType::f32:
      return 0x1.FFFFFEp127F;
    case GgmlType::bf16:
      return 0x1.FEp127F;
  }
  return 0;
}

double ggml_error_bound(GgmlType type, double x, double block_largest) {
  // Half the last of 11 bits, or half a subnormal step.
  const auto half_error = [](double value) {
    return std::max(std::fabs(value) * 0x1p-11, 0x1p-25);
  };
  const double rounding = block_largest * 0x1p-20;  // of the f32 arithmetic in a block
  switch (type) {
    case GgmlType::f32:
      return 0;
    case GgmlType::f16:
      return half_error(x);
    case GgmlType::bf16:
      return std::fabs(x) * 0x1p-8 + 0x1p-133;
    case GgmlType::q8_0: {
      const double step = block_largest / 127;
      return step / 2 + 127 * half_error(step) + rounding;
    }
    case GgmlType::q4_0: {
      const double step = block_largest / 8;
      return step + 8 * half_error(step) + rounding;  // a whole step where q is cut to 15
    }
  }
  return 0;
}

}  // namespace plumb
