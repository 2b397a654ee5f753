#include "core/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "tests/core/io/oracle.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFixtures = "tests/oracle/fixtures/io";

template <class T>
std::vector<double> to_doubles(const std::string& bytes) {
  std::vector<double> values;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    values.push_back(static_cast<double>(value));
  }
  return values;
}

double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1.0 + fraction, exponent - 15);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::vector<double> values_of(const SafetensorsFile& file, const TensorEntry& entry) {
  std::string bytes(entry.bytes(), '\0');
  file.read(entry, bytes.data());
  switch (entry.dtype) {
    case Dtype::f64:
      return to_doubles<double>(bytes);
    case Dtype::f32:
      return to_doubles<float>(bytes);
    case Dtype::i64:
      return to_doubles<std::int64_t>(bytes);
    case Dtype::i32:
      return to_doubles<std::int32_t>(bytes);
    case Dtype::i16:
      return to_doubles<std::int16_t>(bytes);
    case Dtype::i8:
      return to_doubles<std::int8_t>(bytes);
    case Dtype::u8:
    case Dtype::boolean:
      return to_doubles<std::uint8_t>(bytes);
    case Dtype::f16:
    case Dtype::bf16:
      break;
  }
  std::vector<double> values;
  for (const double bits : to_doubles<std::uint16_t>(bytes)) {
    const auto half = static_cast<std::uint16_t>(bits);
    values.push_back(entry.dtype == Dtype::f16
                         ? half_to_double(half)
                         : double{std::bit_cast<float>(std::uint32_t{half} << 16)});
  }
  return values;
}

TEST(Safetensors, ReadsWhatTheReferenceWrote) {
  const Json expected = read_json(std::string(kFixtures) + "/expected.json")["all_dtypes"];
  const auto file = SafetensorsFile::open(std::string(kFixtures) + "/all_dtypes.safetensors");
  EXPECT_EQ(Json(file.metadata()), expected["metadata"]);
  ASSERT_EQ(file.entries().size(), expected["tensors"].size());
  const std::map<std::string, Dtype> dtypes = {{"float64", Dtype::f64},   {"float32", Dtype::f32},
                                               {"float16", Dtype::f16},   {"int64", Dtype::i64},
                                               {"bfloat16", Dtype::bf16}, {"int32", Dtype::i32},
                                               {"int16", Dtype::i16},     {"int8", Dtype::i8},
                                               {"uint8", Dtype::u8},      {"bool", Dtype::boolean}};
  for (const auto& [name, tensor] : expected["tensors"].items()) {
    const TensorEntry* entry = file.find(name);
    ASSERT_NE(entry, nullptr) << name;
    EXPECT_EQ(entry->dtype, dtypes.at(tensor["dtype"])) << name;
    EXPECT_EQ(Json(entry->shape), tensor["shape"]) << name;
    EXPECT_EQ(Json(values_of(file, *entry)), tensor["values"]) << name;
  }
  EXPECT_EQ(file.find("of.none"), nullptr);
}

struct Sample {
  std::vector<float> matrix = {1.5f, -2, 3, 4, 5, 0.1f};
  std::vector<std::uint16_t> half = {0x3F80, 0xC000, 0x4040};  // bf16: 1, -2, 3
  std::vector<std::int64_t> ids = {-1, INT64_MAX};
  std::uint8_t flag = 1;

  std::vector<TensorSource> sources() const {
    return {tensor_in_memory("flag", Dtype::boolean, {}, &flag),
            tensor_in_memory("half", Dtype::bf16, {3}, half.data()),
            tensor_in_memory("layers.0.w", Dtype::f32, {2, 3}, matrix.data()),
            tensor_in_memory("empty", Dtype::f32, {0, 5}, nullptr),
            tensor_in_memory("ids", Dtype::i64, {2}, ids.data())};
  }
};

TEST(Safetensors, WhatIsWrittenReadsBack) {
  TempFolder folder;
  const Sample sample;
  write_safetensors(folder.at("m.safetensors"), sample.sources(), {{"format", "pt"}});
  const auto file = SafetensorsFile::open(folder.at("m.safetensors"));
  EXPECT_THAT(file.metadata(), ElementsAre(std::pair("format", "pt")));
  EXPECT_THAT(values_of(file, *file.find("layers.0.w")), ElementsAre(1.5, -2, 3, 4, 5, 0.1f));
  EXPECT_THAT(values_of(file, *file.find("half")), ElementsAre(1, -2, 3));
  EXPECT_THAT(values_of(file, *file.find("flag")), ElementsAre(1));
  EXPECT_THAT(file.find("empty")->shape, ElementsAre(0, 5));
  for (const TensorEntry& entry : file.entries()) {
    EXPECT_EQ(entry.begin % dtype_size(entry.dtype), 0u) << entry.name << " is not aligned";
  }
}

TEST(Safetensors, TheReferenceReadsWhatIsWritten) {
  TempFolder folder;
  const Sample sample;
  write_safetensors(folder.at("m.safetensors"), sample.sources(), {{"format", "pt"}});
  const auto seen = ask_oracle("describe " + folder.at("m.safetensors"));
  if (!seen) GTEST_SKIP() << "no .deps/oracle/bin/python";
  EXPECT_EQ((*seen)["metadata"], Json({{"format", "pt"}}));
  const Json& tensors = (*seen)["tensors"];
  EXPECT_EQ(tensors.size(), 5u);
  EXPECT_EQ(tensors["layers.0.w"]["dtype"], "float32");
  EXPECT_EQ(tensors["layers.0.w"]["shape"], Json({2, 3}));
  EXPECT_EQ(tensors["layers.0.w"]["values"], Json({1.5, -2.0, 3.0, 4.0, 5.0, double{0.1f}}));
  EXPECT_EQ(tensors["half"]["dtype"], "bfloat16");
  EXPECT_EQ(tensors["half"]["values"], Json({1.0, -2.0, 3.0}));
  EXPECT_EQ(tensors["flag"]["shape"], Json::array());
  EXPECT_EQ(tensors["empty"]["shape"], Json({0, 5}));
}

TEST(Safetensors, SourcesThatDoNotFitAreRefusedAndNothingIsWritten) {
  TempFolder folder;
  const std::string path = folder.at("m.safetensors");
  const float x = 1;
  const auto refusal = [&](const std::vector<TensorSource>& tensors) {
    return error_of([&] { write_safetensors(path, tensors, {}); });
  };
  const auto good = tensor_in_memory("a", Dtype::f32, {1}, &x);
  EXPECT_THAT(refusal({good, good}), HasSubstr("'a' is given twice"));
  EXPECT_THAT(refusal({tensor_in_memory("", Dtype::f32, {1}, &x)}), HasSubstr("is empty"));
  EXPECT_THAT(refusal({tensor_in_memory("\xFF", Dtype::f32, {1}, &x)}), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal({tensor_in_memory("__metadata__", Dtype::f32, {1}, &x)}),
              HasSubstr("__metadata__"));
  TensorSource lying = good;
  lying.write = [](const files::Sink& sink) { sink("123"); };
  EXPECT_THAT(refusal({lying}), HasSubstr("gave 3 bytes where its shape needs 4"));
  EXPECT_THAT(error_of([] { tensor_in_memory("a", Dtype::f32, {-1}, nullptr); }),
              HasSubstr("negative or overflows"));
  EXPECT_THAT(folder.names(), ElementsAre());
}

}  // namespace
}  // namespace plumb
