#include "core/data/hdf5_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <class T>
void append(Hdf5File& file, const std::string& name, const std::vector<T>& values,
            std::int64_t row_size = 1) {
  file.append<T>(name, std::span<const T>(values), row_size);
}

TEST(Hdf5File, WhatIsWrittenIsRead) {
  TempFolder folder;
  const std::string path = folder.at("a.h5");
  const std::vector<float> matrix{1.5F, 2, 3, 4, 5, -6};
  const std::vector<std::string> words{"", "zwei", "\xE2\x82\xAC\n"};
  {
    Hdf5File file = Hdf5File::create(path);
    file.write<float>("matrix", matrix, {3, 2});
    file.write<std::int64_t>("empty", {}, {0});
    file.write_strings("words", words);
    file.set_attribute("name", std::string("plumb"));
    file.set_attribute("count", std::int64_t{-7});
    file.set_attribute("rate", 0.5);
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_THAT(file.shape("matrix"), ElementsAre(3, 2));
  EXPECT_EQ(file.read_all<float>("matrix"), matrix);
  EXPECT_THAT(file.read<float>("matrix", 1, 1), ElementsAre(3, 4));
  EXPECT_THAT(file.read_all<std::int64_t>("empty"), IsEmpty());
  EXPECT_EQ(file.read_strings("words", 0, 3), words);
  EXPECT_THAT(file.read_strings("words", 1, 1), ElementsAre("zwei"));
  EXPECT_EQ(file.string_attribute("name"), "plumb");
  EXPECT_EQ(file.integer_attribute("count"), -7);
  EXPECT_TRUE(file.has("words"));
  EXPECT_FALSE(file.has("other"));
}

TEST(Hdf5File, AppendingGrowsADataset) {
  TempFolder folder;
  const std::string path = folder.at("a.h5");
  std::vector<std::int32_t> expected;
  {
    Hdf5File file = Hdf5File::create(path);
    for (int part = 0; part < 50; ++part) {
      std::vector<std::int32_t> values(static_cast<std::size_t>(4 * (part * 37 % 300)));
      for (auto& value : values)
        value = static_cast<std::int32_t>(expected.size()), expected.push_back(value);
      append(file, "rows", values, 4);
    }
    append<std::int64_t>(file, "none", {});
    const std::vector<std::string> words{"a", "b"};
    file.append_strings("words", words);
    file.append_strings("words", words);
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_EQ(file.read_all<std::int32_t>("rows"), expected);
  EXPECT_THAT(file.shape("none"), ElementsAre(0));
  EXPECT_THAT(file.read_strings("words", 0, 4), ElementsAre("a", "b", "a", "b"));
}

TEST(Hdf5File, EqualContentsAreEqualFiles) {
  TempFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5File file = Hdf5File::create(folder.at(name), 512);
    append<double>(file, "numbers", {1, 2, 3});
    const std::vector<std::string> words{"one", "two"};
    file.append_strings("words", words);
    file.set_attribute("name", std::string("plumb"));
    file.close();
  }
  EXPECT_EQ(TempFolder::get(folder.at("a.h5")), TempFolder::get(folder.at("b.h5")));
}

TEST(Hdf5File, ErrorsNameFileAndDataset) {
  TempFolder folder;
  const std::string path = folder.at("a.h5");
  Hdf5File file = Hdf5File::create(path);
  append<double>(file, "numbers", {1, 2, 3});
  EXPECT_THAT(error_of([&] { file.read_all<double>("other"); }),
              AllOf(HasSubstr(path), HasSubstr("'other'")));
  EXPECT_THAT(error_of([&] { file.read_all<float>("numbers"); }),
              HasSubstr("'numbers' holds another type"));
  EXPECT_THAT(error_of([&] { file.read_strings("numbers", 0, 1); }),
              HasSubstr("holds no list of strings"));
  EXPECT_THAT(error_of([&] { file.read<double>("numbers", 2, 2); }), HasSubstr("it has 3"));
  EXPECT_THAT(error_of([&] { file.read<double>("numbers", -1, 1); }), HasSubstr("it has 3"));
  EXPECT_THAT(error_of([&] {
                append<double>(file, "numbers", {1, 2, 3}, 2);
              }),
              HasSubstr("not whole rows of 2"));
  EXPECT_THAT(error_of([&] {
                file.write<double>("m", std::vector<double>{1}, {2, 3});
              }),
              HasSubstr("6 values, 1 were given"));
  const std::vector<std::string> nul{std::string("a\0b", 3)};
  EXPECT_THAT(error_of([&] { file.write_strings("nul", nul); }), HasSubstr("NUL"));
  EXPECT_THAT(error_of([&] { Hdf5File::open(folder.at("none.h5")); }), HasSubstr("none.h5"));
  EXPECT_THAT(error_of([&] { Hdf5File::create(folder.at("no/such/folder.h5")); }),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace plumb
