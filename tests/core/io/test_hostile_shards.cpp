// The 13 hostile kinds of model folder: an index and shards that mean harm or do not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/io/json.h"
#include "core/io/model_files.h"
#include "tests/core/io/in_time.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kIndex = "model.safetensors.index.json";

class HostileShards : public testing::Test {
 protected:
  // A shard holding U8 scalars of these names.
  void put_shard(const std::string& file, const std::vector<std::string>& names) const {
    static const char kByte = 5;
    std::vector<TensorSource> tensors;
    for (const auto& name : names) tensors.push_back(tensor_in_memory(name, Dtype::u8, {}, &kByte));
    fs::create_directories(fs::path(folder.at(file)).parent_path());
    write_safetensors(folder.at(file), tensors, {});
  }
  void put_index(const Json& weight_map) const {
    folder.put(std::string("model/") + kIndex, Json{{"weight_map", weight_map}}.dump());
  }
  std::string refusal() const {
    return error_in_time([&] { ShardedModelFiles::open(folder.at("model")); });
  }
  void expect_name_refused(const std::string& name) const {
    put_index({{"w", name}});
    EXPECT_THAT(refusal(), AllOf(HasSubstr(kIndex), HasSubstr("weight_map names the file")))
        << name;
  }

  TempFolder folder;
};

TEST_F(HostileShards, S01_TraversalInTheIndex) {
  put_shard("outside.safetensors", {"w"});
  for (const char* name : {"../outside.safetensors", "sub/../../outside.safetensors", "..",
                           "..safetensors", "./w.safetensors", "a\\..\\b.safetensors"}) {
    expect_name_refused(name);
  }
}

TEST_F(HostileShards, S02_AbsolutePathInTheIndex) {
  put_shard("outside.safetensors", {"w"});
  expect_name_refused(folder.at("outside.safetensors"));
  expect_name_refused("/dev/zero.safetensors");
}

// A link is followed, as the cache of huggingface_hub needs; what it leads to must be what is said.
TEST_F(HostileShards, S03_LinkToAnotherKindOfFile) {
  put_index({{"w", "a.safetensors"}});
  fs::create_symlink("/etc/passwd", folder.at("model/a.safetensors"));
  const std::string said = refusal();
  EXPECT_THAT(said, AllOf(HasSubstr("a.safetensors"), HasSubstr("not a safetensors file")));
  EXPECT_EQ(said.find("root"), std::string::npos);
  fs::remove(folder.at("model/a.safetensors"));
  fs::create_symlink("a.safetensors", folder.at("model/a.safetensors"));
  EXPECT_THAT(refusal(), HasSubstr("a.safetensors: cannot be opened"));
}

TEST_F(HostileShards, S04_HardLinkIsTheFileItself) {
  put_index({{"w", "a.safetensors"}});
  put_shard("outside.safetensors", {"w"});
  fs::create_hard_link(folder.at("outside.safetensors"), folder.at("model/a.safetensors"));
  EXPECT_EQ(refusal(), "");
}

TEST_F(HostileShards, S05_Fifo) {
  put_index({{"w", "a.safetensors"}});
  ASSERT_EQ(::mkfifo(folder.at("model/a.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
  fs::remove(folder.at("model/a.safetensors"));
  fs::create_directory(folder.at("model/a.safetensors"));
  EXPECT_THAT(refusal(), HasSubstr("is a folder"));
}

TEST_F(HostileShards, S06_OneTensorInTwoShards) {
  put_shard("model/a.safetensors", {"x", "y"});
  put_shard("model/b.safetensors", {"y", "z"});
  put_index({{"x", "a.safetensors"}, {"y", "a.safetensors"}, {"z", "b.safetensors"}});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tensor 'y' stands in"), HasSubstr("a.safetensors too")));
}

TEST_F(HostileShards, S07_IndexNamesATensorThatIsNowhere) {
  put_shard("model/a.safetensors", {"x"});
  put_index({{"x", "a.safetensors"}, {"q", "a.safetensors"}});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("a.safetensors"), HasSubstr("lacks tensor 'q'")));
  put_index(Json::object());
  EXPECT_THAT(refusal(), HasSubstr("needs 'weight_map'"));
}

TEST_F(HostileShards, S08_ShardThatIsMissingOrHoldsMore) {
  put_index({{"x", "a.safetensors"}});
  EXPECT_THAT(refusal(), HasSubstr("a.safetensors: cannot be opened"));
  put_shard("model/a.safetensors", {"x", "hidden"});
  EXPECT_THAT(refusal(), HasSubstr("holds tensor 'hidden'"));
}

// Published models exist whose figure is another dtype's: a warning.
TEST_F(HostileShards, S09_WrongTotalSize) {
  put_shard("model/a.safetensors", {"x"});
  for (const char* total : {"7", "-1", "1e300", "\"1\"", "null", "[]"}) {
    folder.put(
        std::string("model/") + kIndex,
        std::string(R"({"weight_map": {"x": "a.safetensors"}, "metadata": {"total_size": )") +
            total + "}}");
    EXPECT_EQ(refusal(), "") << total;
  }
}

TEST_F(HostileShards, S10_IndexOfAGigabyte) {
  folder.put(std::string("model/") + kIndex, "{");
  fs::resize_file(folder.at(std::string("model/") + kIndex), std::uintmax_t{1} << 30);
  EXPECT_THAT(refusal(), AllOf(HasSubstr(kIndex), HasSubstr("1073741824 bytes")));
}

TEST_F(HostileShards, S11_TheHubsCacheWorks) {
  put_shard("blobs/0a1b", {"w"});
  put_index({{"w", "a.safetensors"}});
  fs::create_symlink("../blobs/0a1b", folder.at("model/a.safetensors"));
  EXPECT_EQ(refusal(), "");
}

TEST_F(HostileShards, S12_PicklesInTheIndex) {
  for (const char* name : {"pytorch_model.bin", "model.pt", "a.safetensors.bin", "a.ckpt", ""}) {
    expect_name_refused(name);
  }
}

TEST_F(HostileShards, S13_PickleUnderAnotherName) {
  put_index({{"w", "a.safetensors"}});
  for (const char* magic : {"PK\x03\x04", "\x80\x02}q"}) {
    folder.put("model/a.safetensors", magic + std::string(64, '\x7f'));
    EXPECT_THAT(refusal(), AllOf(HasSubstr("a.safetensors"), HasSubstr("pickle")));
  }
  fs::remove(folder.at(std::string("model/") + kIndex));
  fs::rename(folder.at("model/a.safetensors"), folder.at("model/model.safetensors"));
  EXPECT_THAT(refusal(), HasSubstr("pickle"));
}

}  // namespace
}  // namespace plumb
