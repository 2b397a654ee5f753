#include "core/io/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/core/io/oracle.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kShardedFixture = "tests/oracle/fixtures/io/sharded";
constexpr const char* kIndex = "model.safetensors.index.json";

std::string open_error(const std::string& folder) {
  return error_of([&] { ShardedModelFiles::open(folder); });
}

// A shard holding U8 scalars of these names.
void put_shard(const TempFolder& folder, const std::string& file,
               const std::vector<std::string>& names) {
  static const char kByte = 5;
  std::vector<TensorSource> tensors;
  for (const auto& name : names) tensors.push_back(tensor_in_memory(name, Dtype::u8, {}, &kByte));
  write_safetensors(folder.at(file), tensors, {});
}

std::string index_of(const std::map<std::string, std::string>& weight_map) {
  Json index;
  index["weight_map"] = weight_map;
  return index.dump();
}

TEST(ModelFiles, ReadsShardsOfTheReference) {
  const auto model = ShardedModelFiles::open(kShardedFixture);
  EXPECT_EQ(model.files().size(), 3u);
  EXPECT_EQ(model.names().size(), 5u);
  for (int layer = 0; layer < 5; ++layer) {
    std::vector<float> values(16);
    model.read("layers." + std::to_string(layer) + ".weight", values.data());
    for (int i = 0; i < 16; ++i) EXPECT_EQ(values[i], static_cast<float>(i + layer));
  }
  EXPECT_FALSE(model.find("layers.5.weight").has_value());
  EXPECT_THAT(error_of([&] { model.read("lm_head.weight", nullptr); }),
              HasSubstr("no tensor 'lm_head.weight'"));
}

TEST(ModelFiles, WritesOneFileOrShardsThatReadBack) {
  std::vector<std::vector<float>> values(5, std::vector<float>(16));
  std::vector<TensorSource> tensors;
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 16; ++j) values[i][j] = static_cast<float>(i * 100 + j);
    tensors.push_back(tensor_in_memory("w" + std::to_string(i), Dtype::f32, {4, 4}, &values[i][0]));
  }
  TempFolder folder;
  write_sharded(folder.path(), tensors);
  EXPECT_THAT(folder.names(), ElementsAre("model.safetensors"));
  write_sharded(folder.path(), tensors, 130);
  EXPECT_THAT(folder.names(),
              ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors", kIndex));
  EXPECT_EQ(read_json(folder.at(kIndex))["metadata"]["total_size"], 320);
  const auto model = ShardedModelFiles::open(folder.path());
  for (int i = 0; i < 5; ++i) {
    std::vector<float> read(16);
    model.read("w" + std::to_string(i), read.data());
    EXPECT_EQ(read, values[i]);
  }
  const auto seen = ask_oracle("describe " + folder.path() + "/*.safetensors");
  if (!seen) GTEST_SKIP() << "no .deps/oracle/bin/python";
  EXPECT_EQ((*seen)["tensors"]["w4"]["values"], Json(values[4]));
  EXPECT_EQ((*seen)["metadata"]["format"], "pt");
}

TEST(ModelFiles, ATensorLargerThanAShardGetsOneOfItsOwn) {
  const std::vector<float> large(100);
  const float small = 1;
  TempFolder folder;
  write_sharded(folder.path(),
                {tensor_in_memory("a", Dtype::f32, {1}, &small),
                 tensor_in_memory("b", Dtype::f32, {100}, large.data()),
                 tensor_in_memory("c", Dtype::f32, {1}, &small)},
                8);
  EXPECT_EQ(ShardedModelFiles::open(folder.path()).files().size(), 3u);
}

TEST(ModelFiles, TheLayoutOfTheHubsCacheWorks) {
  TempFolder folder;
  for (const auto& entry : fs::directory_iterator(kShardedFixture)) {
    const std::string blob = "blobs/hash-of-" + entry.path().filename().string();
    folder.put(blob, TempFolder::get(entry.path().string()));
    const fs::path link = folder.at("snapshots/rev/" + entry.path().filename().string());
    fs::create_directories(link.parent_path());
    fs::create_symlink("../../" + blob, link);
  }
  EXPECT_EQ(ShardedModelFiles::open(folder.at("snapshots/rev")).names().size(), 5u);
}

TEST(ModelFiles, ShardNamesStayInTheFolder) {
  TempFolder outer;
  put_shard(outer, "outside.safetensors", {"w"});
  for (const std::string& name :
       {std::string("../outside.safetensors"), outer.at("outside.safetensors"),
        std::string("sub/x.safetensors"), std::string(".."), std::string(""),
        std::string(".safetensors"), std::string("..safetensors"), std::string("a\\b.safetensors"),
        std::string("model.bin"), std::string("a b.safetensors"),
        std::string("a\0.safetensors", 14)}) {
    outer.put(std::string("model/") + kIndex, index_of({{"w", name}}));
    EXPECT_THAT(open_error(outer.at("model")),
                AllOf(HasSubstr(kIndex), HasSubstr("weight_map names the file")))
        << name;
  }
}

TEST(ModelFiles, IndexAndShardsMustAgree) {
  TempFolder folder;
  put_shard(folder, "a.safetensors", {"x", "y"});
  put_shard(folder, "b.safetensors", {"y", "z"});
  const auto error_with = [&](const std::map<std::string, std::string>& weight_map) {
    folder.put(kIndex, index_of(weight_map));
    return open_error(folder.path());
  };
  EXPECT_EQ(error_with({{"x", "a.safetensors"}, {"y", "a.safetensors"}}), "");
  EXPECT_THAT(error_with({{"x", "a.safetensors"}}), HasSubstr("holds tensor 'y'"));
  EXPECT_THAT(error_with({{"x", "a.safetensors"}, {"y", "a.safetensors"}, {"q", "a.safetensors"}}),
              HasSubstr("lacks tensor 'q'"));
  EXPECT_THAT(error_with({{"x", "a.safetensors"}, {"y", "a.safetensors"}, {"z", "b.safetensors"}}),
              AllOf(HasSubstr("tensor 'y' stands in"), HasSubstr("a.safetensors too")));
  EXPECT_THAT(error_with({{"x", "none.safetensors"}}), HasSubstr("none.safetensors"));
}

TEST(ModelFiles, MalformedIndexesAreErrors) {
  TempFolder folder;
  put_shard(folder, "a.safetensors", {"x"});
  for (const char* index :
       {"", "[]", "{}", R"({"weight_map":{}})", R"({"weight_map":[]})", R"({"weight_map":{"x":1}})",
        R"({"weight_map":{"x":"a.safetensors","x":"a.safetensors"}})"}) {
    folder.put(kIndex, index);
    EXPECT_THAT(open_error(folder.path()), HasSubstr(kIndex)) << index;
  }
}

TEST(ModelFiles, AFifoOrAPickleAsAShardIsRefusedAtOnce) {
  TempFolder folder;
  folder.put(kIndex, index_of({{"x", "a.safetensors"}}));
  ASSERT_EQ(::mkfifo(folder.at("a.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(open_error(folder.path()), HasSubstr("not a regular file"));
  fs::remove(folder.at("a.safetensors"));
  folder.put("a.safetensors", "PK\x03\x04" + std::string(64, '\x7f'));
  EXPECT_THAT(open_error(folder.path()), HasSubstr("pickle"));
}

TEST(ModelFiles, FoldersWithoutSafetensorsSayWhatToDo) {
  TempFolder folder;
  EXPECT_THAT(open_error(folder.path()), HasSubstr("holds neither"));
  EXPECT_THAT(open_error(folder.at("none")), HasSubstr("no such folder"));
  folder.put("pytorch_model.bin", "x");
  EXPECT_THAT(open_error(folder.path()), HasSubstr("convert the model to safetensors"));
  EXPECT_FALSE(ShardedModelFiles::exists(folder.path()));
}

}  // namespace
}  // namespace plumb
