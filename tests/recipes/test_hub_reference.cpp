// hf:owner/name wherever a model folder is taken, through the binary, from a local server.
#include <gtest/gtest.h>

#include "tests/core/hub/hub_server.h"
#include "tests/recipes/plumb_runs.h"

namespace plumb::test {
namespace {

namespace fs = std::filesystem;

// The workshop's base model as a repository, and an environment that leads to it.
class HubReference : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& entry : fs::directory_iterator(workshop().base())) {
      server.put(entry.path().filename().string(), files::read_file(entry.path().string()));
    }
    start({});
  }
  void TearDown() override {
    for (const char* name : {"HF_ENDPOINT", "HF_HOME", "HF_HUB_OFFLINE", "HF_TOKEN"})
      unsetenv(name);
  }
  void start(const Json& scenario) {
    server.start(scenario.is_object() ? scenario : Json::object());
    setenv("HF_ENDPOINT", server.endpoint().c_str(), 1);
    setenv("HF_HOME", server.home().c_str(), 1);
    setenv("HF_HUB_DOWNLOAD_TIMEOUT", "5", 1);
    unsetenv("HF_HUB_OFFLINE");
  }
  std::string blobs() const { return server.home() + "/hub/models--owner--name/blobs"; }

  hub::HubServer server;
};

TEST_F(HubReference, CommandsThatUseAModel) {
  const auto from_folder = plumb_run({"logits", workshop().base(), "--ids", "1 2 3", "--json"});
  const auto from_hub = plumb_run({"logits", "hf:owner/name", "--ids", "1 2 3", "--json"});
  EXPECT_EQ(from_hub.status, 0) << from_hub.err;
  EXPECT_EQ(from_hub.out, from_folder.out);
  setenv("HF_HUB_OFFLINE", "1", 1);
  EXPECT_EQ(plumb_run({"logits", "hf:owner/name@main", "--ids", "1 2 3", "--json"}).out,
            from_folder.out);
}

TEST_F(HubReference, ATokenizerWithoutItsWeights) {
  const auto told = plumb_run({"tokenize", "hf:owner/name", "a cat", "--json"});
  EXPECT_EQ(told.out, plumb_run({"tokenize", workshop().base(), "a cat", "--json"}).out);
  EXPECT_TRUE(server.requests_for("model.safetensors").empty());
}

TEST_F(HubReference, ATrainingJobAndItsRanks) {
  Words words = workshop().sft("from-hub") + Words{"train.steps=2", "--ranks", "2"};
  for (auto& word : words) {
    if (word.starts_with("model.path=")) word = "model.path=hf:owner/name";
  }
  const auto outcome = plumb_run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(server.requests_for("model.safetensors").size(), 1u);
  // The kept recipe names the commit's folder; the adapter names its base as PEFT would.
  const std::string run = workshop().path("from-hub");
  EXPECT_NE(files::read_file(run + "/recipe.yaml").find(std::string("snapshots/") + hub::kCommit),
            std::string::npos);
  EXPECT_EQ(read_json(run + "/adapter/adapter_config.json")["base_model_name_or_path"],
            "owner/name");
}

TEST_F(HubReference, CtrlCLeavesAPartThatTheNextCallGoesOnFrom) {
  start(Json{{"faults", {{"model.safetensors", {{{"stall_after", 20'000}, {"seconds", 30}}}}}}});
  const auto outcome = plumb_run({"info", "hf:owner/name"}, [&](pid_t pid) {
    const auto has_part = [&] {
      std::error_code none;
      for (const auto& entry : fs::directory_iterator(blobs(), none)) {
        if (entry.path().extension() == ".incomplete" && entry.file_size(none) >= 20'000) {
          return true;
        }
      }
      return false;
    };
    while (kill(pid, 0) == 0 && !has_part()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    kill(pid, SIGINT);
  });
  EXPECT_EQ(outcome.status, 128 + SIGINT);
  EXPECT_EQ(plumb_run({"info", "hf:owner/name", "--json"}).status, 0);
  EXPECT_EQ(server.requests_for("model.safetensors").back()["range"], "bytes=20000-");
  for (const auto& entry : fs::directory_iterator(blobs())) {
    EXPECT_NE(entry.path().extension(), ".incomplete");
  }
}

TEST_F(HubReference, WhatIsWrongIsSaidAndTheStatusTellsWhichKind) {
  const auto refused = [](const Words& words, int status, const std::string& said) {
    const auto outcome = plumb_run(words);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  };
  refused({"info", "hf:owner/name@v9"}, 3, "no such revision");
  refused({"info", "hf:owner/na me"}, 2, "letters, digits");
  refused({"info", "owner/name"}, 3, "is written hf:owner/name");
  setenv("HF_HUB_OFFLINE", "1", 1);
  refused({"info", "hf:owner/other"}, 3, "HF_HUB_OFFLINE is set");
}

}  // namespace
}  // namespace plumb::test
