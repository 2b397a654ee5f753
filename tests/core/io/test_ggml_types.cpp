// Expected blocks are ggml's own (tests/oracle/make_gguf.py).
#include "core/io/ggml_types.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/io/safetensors.h"

namespace plumb {
namespace {

const std::string kBlocks = "tests/oracle/fixtures/gguf/blocks.safetensors";

std::string bytes_of(const SafetensorsFile& file, const std::string& name) {
  const TensorEntry& entry = *file.find(name);
  std::string bytes(entry.bytes(), '\0');
  file.read(entry, bytes.data());
  return bytes;
}

std::vector<float> floats_of(const SafetensorsFile& file, const std::string& name) {
  const std::string bytes = bytes_of(file, name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

class GgmlBlocks : public testing::TestWithParam<GgmlType> {};

TEST_P(GgmlBlocks, EncodesAsGgmlToTheBit) {
  const auto file = SafetensorsFile::open(kBlocks);
  const auto values = floats_of(file, "values");
  const std::string wanted = bytes_of(file, std::string(ggml_type_name(GetParam())));
  std::string bytes;
  ggml_encode(GetParam(), values, bytes);
  ASSERT_EQ(bytes.size(), wanted.size());
  const auto block = static_cast<std::size_t>(ggml_block_bytes(GetParam()));
  for (std::size_t at = 0; at < bytes.size(); at += block) {
    ASSERT_EQ(bytes.substr(at, block), wanted.substr(at, block)) << "block " << at / block;
  }
}

TEST_P(GgmlBlocks, DecodesWithinTheBound) {
  const auto file = SafetensorsFile::open(kBlocks);
  const auto values = floats_of(file, "values");
  std::string bytes;
  ggml_encode(GetParam(), values, bytes);
  std::vector<float> decoded(values.size());
  ggml_decode(GetParam(), bytes, decoded);
  const auto block = static_cast<std::size_t>(ggml_block_values(GetParam()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    double largest = 0;
    for (std::size_t j = i - i % block; j < i - i % block + block; ++j) {
      largest = std::max<double>(largest, std::fabs(values[j]));
    }
    ASSERT_LE(std::fabs(static_cast<double>(values[i]) - decoded[i]),
              ggml_error_bound(GetParam(), values[i], largest))
        << values[i] << " became " << decoded[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GgmlBlocks,
                         testing::Values(GgmlType::f16, GgmlType::bf16, GgmlType::q8_0,
                                         GgmlType::q4_0),
                         [](const auto& info) { return std::string(ggml_type_name(info.param)); });

TEST(GgmlTypes, QuantsDecodeAsTheGgufPackage) {
  const auto file = SafetensorsFile::open(kBlocks);
  for (const GgmlType type : {GgmlType::q8_0, GgmlType::q4_0}) {
    const std::string name(ggml_type_name(type));
    const auto wanted = floats_of(file, name + ".decoded");
    std::vector<float> decoded(wanted.size());
    ggml_decode(type, bytes_of(file, name), decoded);
    EXPECT_EQ(decoded, wanted) << name;
  }
}

TEST(GgmlTypes, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_half(half);
    if (std::isnan(value)) continue;
    ASSERT_EQ(to_half(value), half) << value;
    const auto brain = static_cast<std::uint16_t>(bits);
    const float wide = from_bfloat16(brain);
    if (!std::isnan(wide)) {
      ASSERT_EQ(to_bfloat16(wide), brain) << wide;
    }
  }
  EXPECT_TRUE(std::isnan(from_half(to_half(std::nanf("")))));
  EXPECT_TRUE(std::isinf(from_half(to_half(65520.0F))));
  EXPECT_EQ(from_half(to_half(65519.996F)), 65504.0F);
}

// A scale below what f16 holds: zeros, not the overflow of its reciprocal.
TEST(GgmlTypes, BlocksTooSmallForAScaleAreZero) {
  const std::vector<float> values(32, 1e-40F);
  for (const GgmlType type : {GgmlType::q8_0, GgmlType::q4_0}) {
    std::string bytes;
    ggml_encode(type, values, bytes);
    std::vector<float> decoded(32, 1.0F);
    ggml_decode(type, bytes, decoded);
    for (const float value : decoded) EXPECT_EQ(value, 0.0F);
  }
}

}  // namespace
}  // namespace plumb
