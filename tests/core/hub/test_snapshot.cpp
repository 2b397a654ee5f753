// What lands in the cache, from a hub that behaves and from one that cannot be reached.
#include "core/hub/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/hub/find.h"
#include "core/io/files.h"
#include "tests/core/hub/hub_server.h"

namespace plumb::hub {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Reference kName{"owner/name", "main"};

std::string names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) names.push_back(entry.path().lexically_relative(folder).string());
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const auto& name : names) text += name + " ";
  return text;
}

TEST(Snapshot, TheLayoutIsTheHubsOwn) {
  HubServer server;
  server.put_model();
  server.put("chat_template.jinja", "{{ messages }}");
  server.put("additional_chat_templates/tool use.jinja", "{{ tools }}");
  server.put("onnx/model.safetensors", "not fetched");
  server.start();
  const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
  EXPECT_EQ(folder, server.cached("snapshots/") + kCommit);
  EXPECT_EQ(names_in(folder),
            "additional_chat_templates/tool use.jinja chat_template.jinja config.json "
            "model.safetensors tokenizer.json ");
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json",
                           "chat_template.jinja", "additional_chat_templates/tool use.jinja"}) {
    EXPECT_EQ(TempFolder::get(folder + "/" + name), TempFolder::get(server.repo_file(name)))
        << name;
  }
  EXPECT_EQ(TempFolder::get(server.cached("refs/main")), kCommit);
  const std::string weights = fs::read_symlink(folder + "/model.safetensors").string();
  EXPECT_THAT(weights, testing::MatchesRegex("\\.\\./\\.\\./blobs/[0-9a-f]{64}"));
  EXPECT_THAT(fs::read_symlink(folder + "/config.json").string(),
              testing::MatchesRegex("\\.\\./\\.\\./blobs/[0-9a-f]{40}"));
  EXPECT_THAT(fs::read_symlink(folder + "/additional_chat_templates/tool use.jinja").string(),
              testing::MatchesRegex("\\.\\./\\.\\./\\.\\./blobs/[0-9a-f]{40}"));
  EXPECT_EQ(names_in(server.cached("blobs")).find("incomplete"), std::string::npos);
}

TEST(Snapshot, ASecondCallAsksForTheListAlone) {
  HubServer server;
  server.put_model();
  server.start();
  fetch_snapshot(kName, Need::model, server.settings());
  const std::size_t before = server.requests().size();
  fetch_snapshot(kName, Need::model, server.settings());
  EXPECT_EQ(server.requests().size(), before + 1);
}

TEST(Snapshot, ATokenizerComesWithoutWeights) {
  HubServer server;
  server.put_model();
  server.start();
  const std::string folder = fetch_snapshot(kName, Need::tokenizer, server.settings());
  EXPECT_EQ(names_in(folder), "config.json tokenizer.json ");
  fetch_snapshot(kName, Need::model, server.settings());
  EXPECT_EQ(names_in(folder), "config.json model.safetensors tokenizer.json ");
  EXPECT_THAT(server.requests_for("config.json"), SizeIs(1));
}

TEST(Snapshot, AllShardsOfTheIndexCome) {
  HubServer server;
  server.put("config.json", "{}");
  server.put("model-00001-of-00002.safetensors", "first");
  server.put("model-00002-of-00002.safetensors", "second");
  server.put("consolidated.safetensors", "not fetched");
  server.put("model.safetensors.index.json",
             R"({"weight_map": {"a": "model-00001-of-00002.safetensors",
                 "b": "model-00002-of-00002.safetensors"}})");
  server.start();
  const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
  EXPECT_EQ(names_in(folder),
            "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
            "model.safetensors.index.json ");
  Settings offline = server.settings();
  offline.is_offline = true;
  EXPECT_EQ(fetch_snapshot(kName, Need::model, offline), folder);
  fs::remove(folder + "/model-00002-of-00002.safetensors");
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::model, offline); }),
              HasSubstr("lacks its model-00002-of-00002.safetensors"));
}

TEST(Snapshot, AnAdapterComesWithItsConfig) {
  HubServer server;
  server.put("adapter_config.json", R"({"peft_type": "LORA"})");
  server.put("adapter_model.safetensors", "weights");
  server.put("reward.json", "{}");
  server.start();
  for (const Need need : {Need::adapter, Need::model}) {
    const std::string folder = fetch_snapshot(kName, need, server.settings());
    EXPECT_EQ(names_in(folder), "adapter_config.json adapter_model.safetensors reward.json ");
  }
}

TEST(Snapshot, ARevisionIsABranchATagOrACommit) {
  const std::string other = "89abcdef0123456789abcdef0123456789abcdef";
  HubServer server(Json{{"revisions", {{"refs/pr/7", other}, {other, other}}}});
  server.put_model();
  server.start();
  const std::string folder =
      fetch_snapshot({"owner/name", "refs/pr/7"}, Need::model, server.settings());
  EXPECT_EQ(folder, server.cached("snapshots/") + other);
  EXPECT_EQ(TempFolder::get(server.cached("refs/refs/pr/7")), other);
  EXPECT_EQ(fetch_snapshot({"owner/name", other}, Need::model, server.settings()), folder);
  EXPECT_FALSE(files::exists(server.cached("refs/") + other));
}

TEST(Snapshot, AListWithoutChecksumsIsCompletedFromTheFilesHeaders) {
  for (const bool with_cdn : {false, true}) {
    HubServer server(Json{{"no_blobs", true}, {"cdn", with_cdn}});
    server.put_model();
    server.start();
    const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
    EXPECT_THAT(fs::read_symlink(folder + "/model.safetensors").string(),
                testing::MatchesRegex("\\.\\./\\.\\./blobs/[0-9a-f]{64}"));
    EXPECT_EQ(TempFolder::get(folder + "/model.safetensors"),
              TempFolder::get(server.repo_file("model.safetensors")));
  }
}

TEST(Snapshot, OfflineTakesTheCacheOrSaysWhatItLacks) {
  HubServer server;
  server.put_model();
  server.start();
  Settings offline = server.settings();
  offline.is_offline = true;
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::model, offline); }),
              AllOf(HasSubstr("hf:owner/name@main"), HasSubstr("HF_HUB_OFFLINE is set"),
                    HasSubstr("lacks its revision 'main'")));
  EXPECT_THAT(server.requests(), IsEmpty());
  const std::string folder = fetch_snapshot(kName, Need::tokenizer, server.settings());
  EXPECT_EQ(fetch_snapshot(kName, Need::tokenizer, offline), folder);
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::model, offline); }),
              HasSubstr("lacks its model.safetensors"));
}

TEST(Snapshot, AHubThatCannotBeReachedLeavesTheCache) {
  HubServer server;
  server.put_model();
  server.start();
  const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
  Settings unreachable = server.settings();
  unreachable.endpoint = "http://127.0.0.1:1";
  EXPECT_EQ(fetch_snapshot(kName, Need::model, unreachable), folder);
  unreachable.cache += "-empty";
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::model, unreachable); }),
              AllOf(HasSubstr("hf:owner/name@main"), HasSubstr("127.0.0.1"),
                    HasSubstr("check the network, HF_ENDPOINT and the proxies")));
}

TEST(Snapshot, PicklesAndGgufAreRefusedBeforeAnythingIsFetched) {
  HubServer server;
  server.put("config.json", "{}");
  server.put("pytorch_model.bin", "pickle");
  server.start();
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::model, server.settings()); }),
              AllOf(HasSubstr("only as 'pytorch_model.bin'"), HasSubstr("refs/pr/N")));
  EXPECT_THAT(error_of([&] { fetch_snapshot(kName, Need::adapter, server.settings()); }),
              HasSubstr("is no adapter"));
  EXPECT_THAT(server.requests_for("/resolve/"), IsEmpty());
}

TEST(Snapshot, ManyAtOnceFetchEachFileOnce) {
  const Json pause = {{"stall_after", 1'000'000}, {"seconds", 0.6}, {"goes_on", true}};
  HubServer server(Json{{"faults", {{"model.safetensors", {pause}}}}});
  server.put_model(3'000'000);
  server.start();
  std::vector<std::string> folders(6);
  std::vector<std::thread> threads;
  for (std::string& folder : folders) {
    threads.emplace_back([&] { folder = fetch_snapshot(kName, Need::model, server.settings()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& folder : folders) EXPECT_EQ(folder, folders[0]);
  EXPECT_THAT(server.requests_for("model.safetensors"), SizeIs(1));
  EXPECT_EQ(TempFolder::get(folders[0] + "/model.safetensors"),
            TempFolder::get(server.repo_file("model.safetensors")));
}

TEST(Snapshot, AFolderOfTheCacheKnowsItsName) {
  const std::string cache = "/c/hub/models--owner--name/snapshots/";
  for (const std::string& folder : {cache + kCommit, cache + kCommit + "/"}) {
    const auto name = snapshot_name(folder);
    ASSERT_TRUE(name.has_value());
    EXPECT_EQ(name->repo, "owner/name");
    EXPECT_EQ(name->commit, kCommit);
  }
  EXPECT_FALSE(snapshot_name(cache + "main").has_value());
  EXPECT_FALSE(snapshot_name(std::string("/c/model/snapshots/") + kCommit).has_value());
  EXPECT_FALSE(snapshot_name("").has_value());
}

}  // namespace
}  // namespace plumb::hub
