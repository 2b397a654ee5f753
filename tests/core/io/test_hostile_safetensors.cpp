// The 25 hostile kinds of file, most of which the reference reader rejects too; those that it takes
// and we do not are marked "stricter".
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>

#include <array>

#include "core/io/safetensors.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string length_bytes(std::uint64_t length) {
  std::string bytes(sizeof(length), '\0');
  ::memcpy(bytes.data(), &length, sizeof(length));
  return bytes;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return length_bytes(header.size()) + header + std::string(data_bytes, '\1');
}

// The error, the same from the pure parser and from a file on disk.
std::string rejection(const std::string& bytes) {
  TempFolder folder;
  const std::string path = folder.put("m.safetensors", bytes);
  const std::string from_bytes =
      error_of([&] { parse_safetensors_header(bytes, bytes.size(), path); });
  const std::string from_file = error_of([&] { SafetensorsFile::open(path); });
  EXPECT_EQ(from_bytes, from_file);
  if (!from_file.empty()) {
    EXPECT_THAT(from_file, HasSubstr("m.safetensors"));
  }
  return from_file;
}

std::string one(const std::string& fields, std::size_t data_bytes) {
  return rejection(file_of("{\"w\":{" + fields + "}}", data_bytes));
}

TEST(Hostile, AGoodFileIsTaken) {
  EXPECT_EQ(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 8), "");
  EXPECT_EQ(rejection(file_of("{}", 0)), "");
  EXPECT_EQ(rejection(file_of("{}      ", 0)), "");
}

TEST(Hostile, C01_EmptyOrSevenBytes) {
  EXPECT_THAT(rejection(""), HasSubstr("0 bytes"));
  EXPECT_THAT(rejection("1234567"), HasSubstr("7 bytes"));
}

void expect_length_refused(std::uint64_t length) {
  EXPECT_THAT(rejection(length_bytes(length) + "{}"),
              HasSubstr("header length " + std::to_string(length)));
}

TEST(Hostile, C02_HeaderLengthZero) {
  expect_length_refused(0);
}

TEST(Hostile, C03_HeaderLengthThatWraps) {
  expect_length_refused(~std::uint64_t{0});
  expect_length_refused(std::uint64_t{1} << 63);
}

TEST(Hostile, C04_HeaderLongerThanTheLimit) {
  expect_length_refused(100'000'001);
}

TEST(Hostile, C05_HeaderLongerThanTheFile) {
  expect_length_refused(3);
}

TEST(Hostile, C06_HeaderCutInsideJson) {
  EXPECT_THAT(rejection(file_of(R"({"w":{"dtype":"F32")", 0)), HasSubstr("header"));
  EXPECT_THAT(rejection(file_of(R"({"w":{"dtype":"F32"})", 0)), HasSubstr("not valid JSON"));
}

TEST(Hostile, C07_InvalidUtf8) {
  EXPECT_THAT(rejection(file_of("{\"w\xFF\":1}", 0)), HasSubstr("UTF-8"));
}

TEST(Hostile, C08_ByteOrderMark) {
  EXPECT_THAT(rejection(file_of("\xEF\xBB\xBF{}", 0)), HasSubstr("must begin with '{'"));
}

TEST(Hostile, C09_LeadingSpace) {  // stricter
  EXPECT_THAT(rejection(file_of(" {}", 0)), HasSubstr("must begin with '{'"));
}

TEST(Hostile, C10_NulPadding) {
  EXPECT_THAT(rejection(file_of(std::string("{}\0\0", 4), 0)), HasSubstr("must end with '}'"));
  EXPECT_THAT(rejection(file_of("{}\n", 0)), HasSubstr("must end with '}'"));
  EXPECT_THAT(rejection(file_of(std::string("{}\0}", 4), 0)), HasSubstr("NUL"));
}

constexpr const char* kTwoF32 = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
constexpr const char* kOneI64 = R"({"dtype":"I64","shape":[1],"data_offsets":[0,8]})";

TEST(Hostile, C11_DuplicateTensor) {  // stricter
  const std::string f32 = kTwoF32, i64 = kOneI64;
  EXPECT_THAT(rejection(file_of("{\"a\":" + f32 + ",\"a\":" + i64 + "}", 8)),
              HasSubstr("duplicate key 'a'"));
}

TEST(Hostile, C12_DuplicateTensorBehindAnEscape) {  // stricter
  const std::string f32 = kTwoF32, i64 = kOneI64;
  EXPECT_THAT(rejection(file_of("{\"a\":" + f32 + ",\"\\u0061\":" + i64 + "}", 8)),
              HasSubstr("duplicate key 'a'"));
}

TEST(Hostile, C13_DuplicateMetadataOrField) {
  EXPECT_THAT(rejection(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0)),
              HasSubstr("duplicate key"));
  EXPECT_THAT(rejection(file_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0)),
              HasSubstr("duplicate key 'a'"));
  EXPECT_THAT(one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])", 8),
              HasSubstr("duplicate key 'dtype'"));
}

std::string two(const std::string& first, const std::string& second, std::size_t data_bytes) {
  return rejection(file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                               R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
                           data_bytes));
}

TEST(Hostile, C14_Overlap) {
  EXPECT_EQ(two("[0,4]", "[4,8]", 8), "");
  EXPECT_EQ(two("[4,8]", "[0,4]", 8), "");
  EXPECT_THAT(two("[0,4]", "[3,7]", 7), AllOf(HasSubstr("'b'"), HasSubstr("overlaps")));
  EXPECT_THAT(two("[0,4]", "[0,4]", 4), HasSubstr("overlaps"));
}

TEST(Hostile, C15_Hole) {
  EXPECT_THAT(two("[0,4]", "[5,9]", 9), AllOf(HasSubstr("'b'"), HasSubstr("hole")));
  EXPECT_THAT(two("[1,5]", "[5,9]", 9), AllOf(HasSubstr("'a'"), HasSubstr("hole")));
}

TEST(Hostile, C16_TrailingBytes) {
  EXPECT_THAT(rejection(file_of("{}", 0) + "MZ"), HasSubstr("belong to no tensor"));
  EXPECT_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 9),
              HasSubstr("belong to no tensor"));
}

TEST(Hostile, C17_MissingBytes) {
  EXPECT_THAT(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 7),
              AllOf(HasSubstr("cut short"), HasSubstr("'w'")));
}

TEST(Hostile, C18_Offsets) {
  EXPECT_THAT(one(R"("dtype":"U8","shape":[0],"data_offsets":[8,0])", 8), HasSubstr("backwards"));
  for (const char* offsets : {"[-1,3]", "[0,18446744073709551616]", "[0,4.0]", "[0,0.4e1]", "[0]",
                              "[0,4,4]", "{}", "null", "[\"0\",\"4\"]", "[0,true]", "4"}) {
    EXPECT_THAT(one(std::string(R"("dtype":"U8","shape":[4],"data_offsets":)") + offsets, 4),
                AllOf(HasSubstr("tensor 'w'"), HasSubstr("data_offsets must be")))
        << offsets;
  }
  EXPECT_THAT(one(R"("dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615])", 4),
              HasSubstr("need 4 bytes"));
}

void expect_overflow(const std::string& shape) {
  EXPECT_THAT(one(R"("dtype":"F64","data_offsets":[0,0],"shape":)" + shape, 0),
              AllOf(HasSubstr("tensor 'w'"), HasSubstr("overflows")))
      << shape;
}

TEST(Hostile, C20_ShapesThatOverflowBesideAZero) {  // stricter
  expect_overflow("[0,9223372036854775807,9223372036854775807]");
  expect_overflow("[9223372036854775807,9223372036854775807,0]");
}

TEST(Hostile, C19_ShapesThatOverflow) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775807]", "[3,6148914691236517206]"}) {
    expect_overflow(shape);
  }
  for (const char* shape : {"[-1]", "[1.0]", "[18446744073709551615]", "[18446744073709551616]",
                            "[\"1\"]", "[null]", "[[1]]", "[true]"}) {
    EXPECT_THAT(one(std::string(R"("dtype":"U8","data_offsets":[0,1],"shape":)") + shape, 1),
                HasSubstr("must hold whole numbers"))
        << shape;
  }
  EXPECT_THAT(one(R"("dtype":"U8","data_offsets":[0,1],"shape":1)", 1),
              HasSubstr("must be a list"));
}

TEST(Hostile, C21_Rank) {  // stricter
  std::string shape = "1";
  for (int i = 1; i < 1000; ++i) shape += ",1";
  EXPECT_THAT(one("\"dtype\":\"U8\",\"data_offsets\":[0,1],\"shape\":[" + shape + "]", 1),
              HasSubstr("1000 dimensions"));
  EXPECT_EQ(one(R"("dtype":"U8","data_offsets":[0,1],"shape":[1,1,1,1,1,1,1,1])", 1), "");
  EXPECT_NE(one(R"("dtype":"U8","data_offsets":[0,1],"shape":[1,1,1,1,1,1,1,1,1])", 1), "");
}

TEST(Hostile, C22_SizeMismatchAndDtypes) {
  EXPECT_THAT(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])", 8),
              AllOf(HasSubstr("tensor 'w'"), HasSubstr("need 12 bytes"), HasSubstr("give 8")));
  for (const char* dtype : {"\"f32\"", "\"F4\"", "\"F8_E4M3\"", "\"\"", "\"F32 \"", "32", "null"}) {
    EXPECT_THAT(one(std::string(R"("shape":[2],"data_offsets":[0,8],"dtype":)") + dtype, 8),
                AllOf(HasSubstr("tensor 'w'"), HasSubstr("dtype")))
        << dtype;
  }
}

TEST(Hostile, C23_Nesting) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(rejection(file_of("{\"w\":" + deep + "}", 0)), HasSubstr("nested deeper"));
  EXPECT_THAT(rejection(file_of("{\"__metadata__\":" + deep + "}", 0)), HasSubstr("nested deeper"));
}

TEST(Hostile, C24_Names) {  // stricter
  const std::string value = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  for (const char* name : {"", "../../x", "/etc/x", "a\\\\b", "a\\u0000b", "a\\nb", "\\u007f"}) {
    EXPECT_THAT(rejection(file_of("{\"" + std::string(name) + "\":" + value + "}", 1)),
                HasSubstr("tensor name"))
        << name;
  }
  EXPECT_THAT(rejection(file_of("{\"" + std::string(1025, 'n') + "\":" + value + "}", 1)),
              HasSubstr("longer than 1024"));
}

TEST(Hostile, C25_BoolsAndMisalignedDoublesAreReadSafely) {
  TempFolder folder;
  const std::string header = R"({"flags":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]},)"
                             R"("x":{"dtype":"F64","shape":[1],"data_offsets":[3,11]}})";
  const double x = 1.25;
  std::string bytes = length_bytes(header.size()) + header + std::string("\2\0\xFF", 3);
  bytes.append(reinterpret_cast<const char*>(&x), sizeof(x));
  const auto file = SafetensorsFile::open(folder.put("m.safetensors", bytes));
  std::array<bool, 3> flags;
  file.read(*file.find("flags"), flags.data());
  EXPECT_THAT(flags, testing::ElementsAre(true, false, true));
  double read = 0;
  file.read(*file.find("x"), &read);
  EXPECT_EQ(read, x);
}

TEST(Hostile, TensorsThatAreNoMapsOrHaveOtherFields) {
  for (const char* header : {R"({"w":1})", R"({"w":null})", R"({"w":[]})", R"({"w":{}})", "[]", "1",
                             R"({"w":{"dtype":"U8","shape":[0]}})", R"({"__metadata__":{"a":1}})",
                             R"({"__metadata__":[]})", R"({"__metadata__":null})"}) {
    EXPECT_NE(rejection(file_of(header, 0)), "") << header;
  }
  EXPECT_THAT(one(R"("dtype":"U8","shape":[1],"data_offsets":[0,1],"scale":2)", 1),  // stricter
              HasSubstr("fields beside"));
}

TEST(Hostile, APickleIsNamedAsSuch) {
  EXPECT_THAT(rejection("PK\x03\x04" + std::string(100, '\x7f')), HasSubstr("pickle"));
  EXPECT_THAT(rejection("\x80\x02}q" + std::string(100, '\x7f')), HasSubstr("pickle"));
}

TEST(Hostile, AFileCutAfterItWasOpenedIsAnErrorNotASignal) {
  TempFolder folder;
  const std::string path = folder.put(
      "m.safetensors", file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  const auto file = SafetensorsFile::open(path);
  std::filesystem::resize_file(path, file.entries()[0].end - 1);
  std::array<float, 2> values;
  EXPECT_THAT(error_of([&] { file.read(file.entries()[0], values.data()); }),
              AllOf(HasSubstr("cut short"), HasSubstr("tensor 'w'")));
}

}  // namespace
}  // namespace plumb
