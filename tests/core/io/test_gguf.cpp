#include "core/io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

const std::string kValues = "tests/oracle/fixtures/gguf/values.gguf";

template <class T>
T value(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue* found = find_value(metadata, key);
  if (found == nullptr || !std::holds_alternative<T>(*found)) {
    ADD_FAILURE() << key << " is missing or of another type";
    return T{};
  }
  return std::get<T>(*found);
}

TEST(Gguf, ReadsWhatTheGgufPackageWrites) {
  const auto file = GgufFile::open(kValues);
  const GgufMetadata& metadata = file.metadata();
  EXPECT_EQ(value<std::string>(metadata, "general.architecture"), "llama");
  EXPECT_EQ(value<std::uint8_t>(metadata, "a.u8"), 200);
  EXPECT_EQ(value<std::int8_t>(metadata, "a.i8"), -100);
  EXPECT_EQ(value<std::uint16_t>(metadata, "a.u16"), 60000);
  EXPECT_EQ(value<std::int16_t>(metadata, "a.i16"), -30000);
  EXPECT_EQ(value<std::uint32_t>(metadata, "a.u32"), 4000000000U);
  EXPECT_EQ(value<std::int32_t>(metadata, "a.i32"), -2000000000);
  EXPECT_EQ(value<float>(metadata, "a.f32"), 0.5F);
  EXPECT_TRUE(value<bool>(metadata, "a.bool"));
  EXPECT_EQ(value<std::string>(metadata, "a.string"), "naïve ▁");
  EXPECT_EQ(value<std::uint64_t>(metadata, "a.u64"), std::uint64_t{1} << 63);
  EXPECT_EQ(value<std::int64_t>(metadata, "a.i64"), -(std::int64_t{1} << 62));
  EXPECT_EQ(value<double>(metadata, "a.f64"), 0.1);
  EXPECT_THAT(value<std::vector<std::string>>(metadata, "a.strings"),
              testing::ElementsAre("", "b", "▁c"));
  EXPECT_THAT(value<std::vector<std::int32_t>>(metadata, "a.i32s"), testing::ElementsAre(1, -2, 3));
  EXPECT_THAT(value<std::vector<float>>(metadata, "a.f32s"), testing::ElementsAre(1.5F, -2.5F));
  EXPECT_THAT(value<std::vector<std::uint8_t>>(metadata, "a.bytes"),
              testing::ElementsAre(0, 255, 16));

  const GgufTensor* matrix = file.find("matrix");
  ASSERT_NE(matrix, nullptr);
  EXPECT_THAT(matrix->shape, testing::ElementsAre(2, 3));
  std::vector<float> row(3);
  file.read_rows(*matrix, 1, 1, row.data());
  EXPECT_THAT(row, testing::ElementsAre(3.0F, 4.0F, 5.0F));
  std::vector<float> half(5);
  file.read_rows(*file.find("half"), 0, 1, half.data());
  EXPECT_THAT(half, testing::ElementsAre(0.0F, 1.0F, 2.0F, 3.0F, 4.0F));
  EXPECT_EQ(file.find("quants")->type, GgmlType::q8_0);
  EXPECT_EQ(file.find("none"), nullptr);
}

GgufSource floats(const std::string& name, std::vector<std::int64_t> shape,
                  std::vector<float> values) {
  return {name, GgmlType::f32, std::move(shape),
          [values = std::move(values)](const files::Sink& sink) {
            sink({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
          }};
}

TEST(Gguf, WritesWhatItReads) {
  const TempFolder folder;
  const std::string path = folder.at("out.gguf");
  const GgufMetadata metadata = GgufFile::open(kValues).metadata();
  write_gguf(path, metadata, {floats("a", {3}, {1, 2, 3}), floats("b", {2, 1}, {4, 5})});
  const auto file = GgufFile::open(path);
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.find("b")->begin % kGgufAlignment, 0U);
  std::vector<float> values(2);
  file.read_rows(*file.find("b"), 0, 2, values.data());
  EXPECT_THAT(values, testing::ElementsAre(4.0F, 5.0F));
}

TEST(Gguf, RefusesToWriteWhatNoReaderTakes) {
  const TempFolder folder;
  const std::string path = folder.at("out.gguf");
  const auto refused = [&](const GgufMetadata& metadata, const std::vector<GgufSource>& tensors) {
    EXPECT_THROW(write_gguf(path, metadata, tensors), Error);
    EXPECT_FALSE(files::exists(path));
  };
  refused({{"a", true}, {"a", false}}, {});
  refused({}, {floats("a", {1}, {1}), floats("a", {1}, {1})});
  refused({}, {floats(std::string(64, 'n'), {1}, {1})});
  refused({}, {floats("a", {2}, {1})});  // gives too few bytes
  refused({}, {floats("a", {1, 1, 1, 1, 1}, {1})});
  refused({}, {{"a", GgmlType::q8_0, {31}, [](const files::Sink&) {}}});
}

// ---- hostile files ----

template <class T>
void put(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void put_string(std::string& out, const std::string& text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

std::string head(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
  std::string out = "GGUF";
  put(out, version);
  put(out, tensors);
  put(out, values);
  return out;
}

struct TensorLine {
  std::string name = "t";
  std::vector<std::uint64_t> extents = {8};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

void put_tensor(std::string& out, const TensorLine& line) {
  put_string(out, line.name);
  put(out, static_cast<std::uint32_t>(line.extents.size()));
  for (const auto extent : line.extents) put(out, extent);
  put(out, line.type);
  put(out, line.offset);
}

std::string file_of(const std::vector<TensorLine>& lines, std::size_t data = 64) {
  std::string out = head(lines.size(), 0);
  for (const auto& line : lines) put_tensor(out, line);
  out.resize((out.size() + 31) / 32 * 32 + data);
  return out;
}

std::string problem_of(const std::string& bytes) {
  const ReadBytes read = [&bytes](std::uint64_t offset, void* destination, std::size_t count) {
    ASSERT_LE(offset + count, bytes.size());
    std::memcpy(destination, bytes.data() + offset, count);
  };
  try {
    parse_gguf_header(read, bytes.size(), "hostile.gguf");
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("hostile.gguf: "));
    return error.what();
  }
  return "";
}

using testing::HasSubstr;

TEST(GgufHostile, TheGoodFileIsTaken) {
  EXPECT_EQ(problem_of(file_of({{}})), "");
  EXPECT_EQ(problem_of(file_of({{}, {.name = "u", .offset = 32}})), "");
}

TEST(GgufHostile, Heads) {
  EXPECT_THAT(problem_of(""), HasSubstr("cut short"));
  EXPECT_THAT(problem_of("GGUX" + std::string(20, '\0')), HasSubstr("no GGUF file"));
  EXPECT_THAT(problem_of(head(0, 0, 2)), HasSubstr("version 2"));
  EXPECT_THAT(problem_of(head(0, 0, 0x03000000)), HasSubstr("version"));
  EXPECT_THAT(problem_of(head(std::uint64_t{1} << 60, 0)), HasSubstr("tensors; at most"));
  EXPECT_THAT(problem_of(head(0, std::uint64_t{1} << 60)), HasSubstr("metadata values; at most"));
  EXPECT_THAT(problem_of(head(0, 1)), HasSubstr("cut short"));
}

std::string with_value(const std::function<void(std::string&)>& put_value,
                       const std::string& key = "k") {
  std::string out = head(0, 1);
  put_string(out, key);
  put_value(out);
  return out;
}

TEST(GgufHostile, Values) {
  EXPECT_THAT(problem_of(with_value([](auto& out) { put<std::uint32_t>(out, 99); })),
              HasSubstr("value type 99"));
  EXPECT_THAT(problem_of(with_value([](auto& out) {
                put<std::uint32_t>(out, 7);
                out += '\2';
              })),
              HasSubstr("boolean of 2"));
  EXPECT_THAT(problem_of(with_value([](auto& out) {
                put<std::uint32_t>(out, 8);
                put<std::uint64_t>(out, ~std::uint64_t{0});
              })),
              HasSubstr("string of"));
  EXPECT_THAT(problem_of(with_value([](auto& out) {
                put<std::uint32_t>(out, 9);
                put<std::uint32_t>(out, 8);
                put<std::uint64_t>(out, std::uint64_t{1} << 61);
              })),
              HasSubstr("array of"));
  EXPECT_THAT(problem_of(with_value([](auto& out) {
                put<std::uint32_t>(out, 9);
                put<std::uint32_t>(out, 9);
                put<std::uint64_t>(out, 1);
              })),
              HasSubstr("array of type 9"));
  EXPECT_THAT(problem_of(with_value([](auto&) {}, "")), HasSubstr("metadata key 0"));
  EXPECT_THAT(problem_of(with_value([](auto&) {}, "\xFF")), HasSubstr("metadata key 0"));
  std::string twice = head(0, 2);
  for (int i = 0; i < 2; ++i) {
    put_string(twice, "k");
    put<std::uint32_t>(twice, 7);
    twice += '\1';
  }
  EXPECT_THAT(problem_of(twice), HasSubstr("stands twice"));
}

TEST(GgufHostile, Alignment) {
  const auto with_alignment = [](std::uint32_t alignment) {
    return with_value(
        [alignment](auto& out) {
          put<std::uint32_t>(out, 4);
          put(out, alignment);
        },
        "general.alignment");
  };
  EXPECT_EQ(problem_of(with_alignment(64)), "");
  for (const std::uint32_t bad : {0U, 3U, 4U, 1U << 20}) {
    EXPECT_THAT(problem_of(with_alignment(bad)), HasSubstr("general.alignment"));
  }
}

TEST(GgufHostile, Tensors) {
  const auto one = [](const TensorLine& line) { return problem_of(file_of({line})); };
  EXPECT_THAT(one({.name = ""}), HasSubstr("name"));
  EXPECT_THAT(one({.name = std::string(64, 'n')}), HasSubstr("name"));
  EXPECT_THAT(one({.extents = {}}), HasSubstr("0 dimensions"));
  EXPECT_THAT(one({.extents = {1, 1, 1, 1, 1}}), HasSubstr("5 dimensions"));
  EXPECT_THAT(one({.extents = {0}}), HasSubstr("extent of 0"));
  EXPECT_THAT(one({.extents = {~std::uint64_t{0}}}), HasSubstr("extent"));
  EXPECT_THAT(one({.extents = {std::uint64_t{1} << 40, std::uint64_t{1} << 40}}),
              HasSubstr("overflows"));
  EXPECT_THAT(one({.extents = {33}, .type = 8}), HasSubstr("whole blocks"));
  EXPECT_THAT(one({.type = 14}), HasSubstr("type 14"));
  EXPECT_THAT(one({.offset = 1}), HasSubstr("no multiple of 32"));
  EXPECT_THAT(one({.offset = 96}), HasSubstr("cut short"));
  EXPECT_THAT(one({.offset = ~std::uint64_t{0} - 31}), HasSubstr("overflows"));
  EXPECT_THAT(problem_of(file_of({{}, {}})), HasSubstr("stands twice"));
  EXPECT_THAT(problem_of(file_of({{.extents = {12}}, {.name = "u", .offset = 32}})),
              HasSubstr("overlaps"));
}

TEST(GgufHostile, EveryCutIsAnError) {
  const std::string whole = files::read_file(kValues);
  const std::uint64_t end = GgufFile::open(kValues).find("quants")->end;  // padding follows
  for (std::size_t size = 0; size < end; ++size) {
    ASSERT_NE(problem_of(whole.substr(0, size)), "") << size;
  }
}

}  // namespace
}  // namespace plumb
