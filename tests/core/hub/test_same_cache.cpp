// One cache, two programs: huggingface_hub finds what we fetched, and we find what it fetched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <array>
#include <optional>
#include <stdexcept>

#include "core/hub/snapshot.h"
#include "core/io/files.h"
#include "tests/core/hub/hub_server.h"

namespace plumb::hub {
namespace {

const Reference kName{"owner/name", "main"};

// nullopt: the oracle's Python is not installed.
std::optional<Json> ask(const std::string& words) {
  const std::string python = ".deps/oracle/bin/python";
  if (!files::exists(python)) return std::nullopt;
  const std::string command = python + " tests/core/hub/hub_oracle.py " + words;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  std::string output;
  std::array<char, 4096> block;
  std::size_t got = 0;
  while ((got = ::fread(block.data(), 1, block.size(), pipe)) > 0) output.append(block.data(), got);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed");
  return Json::parse(output);
}

TEST(SameCache, HuggingfaceHubFindsWhatWeFetched) {
  HubServer server;
  server.put_model();
  server.start();
  const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
  const auto seen = ask("find " + server.cache() + " owner/name");
  if (!seen) GTEST_SKIP() << "no .deps/oracle/bin/python";
  EXPECT_EQ((*seen)["folder"], folder);
  EXPECT_EQ((*seen)["config"], folder + "/config.json");
  EXPECT_EQ((*seen)["warnings"], Json::array()) << seen->dump();
  EXPECT_EQ((*seen)["repo"], "owner/name");
  EXPECT_EQ((*seen)["refs"], Json({"main"}));
  EXPECT_EQ((*seen)["files"], Json({"config.json", "model.safetensors", "tokenizer.json"}));
}

TEST(SameCache, WeFindWhatHuggingfaceHubFetched) {
  HubServer server(Json{{"cdn", true}});
  server.put_model();
  server.start();
  const auto made = ask("fetch " + server.endpoint() + " " + server.cache() + " owner/name");
  if (!made) GTEST_SKIP() << "no .deps/oracle/bin/python";
  Settings offline = server.settings();
  offline.is_offline = true;
  EXPECT_EQ(fetch_snapshot(kName, Need::model, offline), (*made)["folder"]);
  // Online nothing is fetched again, and no link is made anew.
  const std::size_t before = server.requests().size();
  EXPECT_EQ(fetch_snapshot(kName, Need::model, server.settings()), (*made)["folder"]);
  EXPECT_EQ(server.requests().size(), before + 1);
}

}  // namespace
}  // namespace plumb::hub
