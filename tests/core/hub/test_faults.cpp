// A hub that stalls, breaks off, redirects and lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hub/snapshot.h"
#include "core/io/files.h"
#include "tests/core/hub/hub_server.h"
#include "tests/core/io/faults.h"

namespace plumb::hub {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Reference kName{"owner/name", "main"};
constexpr const char* kWeights = "model.safetensors";

Json faults(const std::string& file, const Json& list) {
  return Json{{"faults", {{file, list}}}};
}

std::string fetch_error(const Settings& settings) {
  return error_of([&] { fetch_snapshot(kName, Need::model, settings); });
}

std::string fetch_error(const HubServer& server) {
  return fetch_error(server.settings());
}

void expect_good(const HubServer& server) {
  const std::string folder = fetch_snapshot(kName, Need::model, server.settings());
  EXPECT_EQ(TempFolder::get(folder + "/" + kWeights), TempFolder::get(server.repo_file(kWeights)));
}

std::vector<std::string> ranges(const HubServer& server) {
  std::vector<std::string> all;
  for (const Json& request : server.requests_for(kWeights)) all.push_back(request["range"]);
  return all;
}

std::vector<std::string> incomplete(const HubServer& server) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(server.cached("blobs"))) {
    if (entry.path().extension() == ".incomplete") names.push_back(entry.path().string());
  }
  return names;
}

TEST(HubFaults, ABreakIsGoneOnFrom) {
  HubServer server(faults(kWeights, {{{"break_after", 100'000}}, {{"break_after", 50'000}}}));
  server.put_model();
  server.start();
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "bytes=100000-", "bytes=150000-"));
  EXPECT_THAT(incomplete(server), IsEmpty());
}

TEST(HubFaults, ABreakBeforeTheFirstByteToo) {
  HubServer server(faults(kWeights, {{{"close", true}}, {{"break_after", 0}}}));
  server.put_model();
  server.start();
  expect_good(server);
}

TEST(HubFaults, TheNextCallGoesOnFromWhatWasKept) {
  HubServer server(faults(kWeights, {{{"break_after", 70'000}, {"always", true}}}));
  server.put_model();
  server.start();
  Settings once = server.settings();
  once.attempts = 1;
  EXPECT_THAT(fetch_error(once),
              AllOf(HasSubstr("hf:owner/name@main: model.safetensors"), HasSubstr("at byte"),
                    HasSubstr("the same command goes on from it")));
  EXPECT_THAT(incomplete(server), SizeIs(1));
  EXPECT_FALSE(files::exists(server.cached("snapshots/") + kCommit + "/" + kWeights));
  EXPECT_FALSE(files::exists(server.cached("refs/main")));
  server.start(faults(kWeights, Json::array()));
  expect_good(server);
  EXPECT_EQ(ranges(server).back().substr(0, 6), "bytes=");
}

TEST(HubFaults, AStallIsGivenUpAndTriedAgain) {
  HubServer server(faults(kWeights, {{{"stall_after", 80'000}, {"seconds", 20}}}));
  server.put_model();
  server.start();
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "bytes=80000-"));
}

TEST(HubFaults, ATrickleIsAStall) {
  HubServer server(faults(kWeights, {{{"trickle", 0.2}}}));
  server.put_model(20'000);
  server.start();
  expect_good(server);
  EXPECT_THAT(ranges(server), SizeIs(2));
}

TEST(HubFaults, AServerThatIsBusyIsAskedAgain) {
  HubServer server(Json{
      {"faults",
       {{"listing", {{{"status", 503}}, {{"status", 429}, {"headers", {{"Retry-After", "0"}}}}}},
        {kWeights, {{{"status", 500}}, {{"status", 408}}, {{"status", 504}}}}}}});
  server.put_model();
  server.start();
  expect_good(server);
  EXPECT_THAT(server.requests_for("/api/"), SizeIs(3));
  EXPECT_THAT(ranges(server), SizeIs(4));
}

TEST(HubFaults, OneThatStaysBusyIsNamedWithItsStatus) {
  HubServer server(faults(kWeights, {{{"status", 503}, {"always", true}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server),
              AllOf(HasSubstr("model.safetensors: status 503"), HasSubstr("6 attempts")));
}

TEST(HubFaults, ATokenStaysWithTheHub) {
  HubServer server(Json{{"cdn", true}, {"token", "hf_secret"}});
  server.put_model();
  server.start();
  Settings settings = server.settings();
  settings.token = "hf_secret";
  const std::string folder = fetch_snapshot(kName, Need::model, settings);
  EXPECT_EQ(TempFolder::get(folder + "/" + kWeights), TempFolder::get(server.repo_file(kWeights)));
  int at_cdn = 0;
  for (const Json& request : server.requests()) {
    const bool is_cdn = request["port"] == "cdn";
    at_cdn += is_cdn;
    EXPECT_EQ(request["authorization"], is_cdn ? "" : "Bearer hf_secret") << request.dump();
  }
  EXPECT_EQ(at_cdn, 1);
}

TEST(HubFaults, ATokenDoesNotFollowTheListElsewhere) {
  HubServer server(Json{{"faults",
                         {{"listing",
                           {{{"redirect",
                              "http://127.0.0.1:{cdn}/api/models/owner/name/"
                              "revision/main?blobs=true"}}}}}},
                        {"token", "hf_secret"}});
  server.put_model();
  server.start();
  Settings settings = server.settings();
  settings.token = "hf_secret";
  EXPECT_THAT(fetch_error(settings), HasSubstr("status 401"));
  EXPECT_EQ(server.requests().back()["port"], "cdn");
  EXPECT_EQ(server.requests().back()["authorization"], "");
}

TEST(HubFaults, ABreakAtTheOtherServerIsGoneOnFromThroughTheHub) {
  HubServer server(faults("cdn:model.safetensors", {{{"break_after", 90'000}}}));
  server.put_model();
  server.start({{"cdn", true}});
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "", "bytes=90000-", "bytes=90000-"));
}

TEST(HubFaults, RedirectsEndSomewhere) {
  HubServer server(faults(
      "listing", {{{"redirect", "/api/models/owner/name/revision/main"}, {"always", true}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server), HasSubstr("more than 10 redirects"));
  for (const char* where : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"}) {
    server.start(faults("listing", {{{"redirect", where}}}));
    EXPECT_THAT(fetch_error(server), HasSubstr("redirects")) << where;
  }
}

TEST(HubFaults, OtherBytesAreThrownAway) {
  HubServer server(faults(kWeights, {{{"wrong", true}, {"always", true}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server), AllOf(HasSubstr("model.safetensors"), HasSubstr("checksum"),
                                         HasSubstr("thrown away")));
  EXPECT_THAT(incomplete(server), IsEmpty());
  server.start({{"faults", Json::object()}});
  expect_good(server);
  HubServer small(faults("config.json", {{{"wrong", true}, {"always", true}}}));
  small.put_model();
  small.start();
  EXPECT_THAT(fetch_error(small), AllOf(HasSubstr("config.json"), HasSubstr("checksum")));
}

TEST(HubFaults, ADamagedPartIsFetchedAnewOnce) {
  HubServer server(faults(kWeights, {{{"break_after", 70'000}, {"wrong", true}}}));
  server.put_model(120'000);  // the changed byte is at 60000
  server.start();
  Settings once = server.settings();
  once.attempts = 1;
  EXPECT_NE(fetch_error(once), "");
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "bytes=70000-", ""));
}

TEST(HubFaults, AWrongEtagDoesNotMatterWhereTheListHasTheChecksum) {
  HubServer server(faults(kWeights, {{{"etag", "\"something-else\""}}}));
  server.put_model();
  server.start();
  expect_good(server);
}

TEST(HubFaults, WithoutAnyChecksumNothingIsTaken) {
  HubServer server(faults("config.json", {{{"etag", "\"v1\""}, {"always", true}}}));
  server.put_model();
  server.start({{"no_blobs", true}});
  EXPECT_THAT(fetch_error(server), AllOf(HasSubstr("config.json"), HasSubstr("cannot be checked")));
}

TEST(HubFaults, MoreBytesThanAnnouncedAreRefused) {
  HubServer server(faults(kWeights, {{{"longer", 10}, {"without_length", true}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server), HasSubstr("sends more than the 300000 bytes"));
  server.start(faults(kWeights, {{{"longer", 10}}}));
  EXPECT_THAT(fetch_error(server), HasSubstr("announces"));
}

TEST(HubFaults, FewerBytesThanAnnouncedAreTheBreakThatTheyAre) {
  HubServer server(faults(kWeights, {{{"break_after", 299'990}}}));
  server.put_model();
  server.start();
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "bytes=299990-"));
}

TEST(HubFaults, AnotherLengthThanTheListsIsRefusedAtOnce) {
  HubServer server(faults(kWeights, {{{"announce_more", 1000}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server), AllOf(HasSubstr("announces 301000 bytes"),
                                         HasSubstr("says 300000"), HasSubstr("proxy")));
  server.start(faults(kWeights, {{{"status", 200}, {"body", "<html>log in</html>"}}}));
  EXPECT_THAT(fetch_error(server), HasSubstr("announces 19 bytes"));
}

TEST(HubFaults, AServerWithoutRangesSendsAllOfItAgain) {
  HubServer server(faults(kWeights, {{{"break_after", 100'000}}, {{"ignore_range", true}}}));
  server.put_model();
  server.start();
  expect_good(server);
}

TEST(HubFaults, AnotherRangeThanTheOneAskedForIsNotAppended) {
  HubServer server(faults(kWeights, {{{"break_after", 100'000}}, {{"bad_range", 7}}}));
  server.put_model();
  server.start();
  expect_good(server);
  EXPECT_THAT(ranges(server), testing::ElementsAre("", "bytes=100000-", ""));
  HubServer shorter(faults(kWeights, {{{"break_after", 100'000}}, {{"status", 416}}}));
  shorter.put_model();
  shorter.start();
  expect_good(shorter);
}

TEST(HubFaults, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"../x.json", "/etc/x", "a//b", "a/../../b", ".", "", "a\\b", "a\nb",
                           "refs/../../../x", "./config.json"}) {
    HubServer server(Json{{"extra", {{{"rfilename", name}, {"size", 1}}}}});
    server.put_model();
    server.start();
    EXPECT_THAT(fetch_error(server), HasSubstr("no plain path inside a folder")) << name;
    EXPECT_FALSE(files::exists(server.cache())) << name;
  }
}

TEST(HubFaults, AnIndexNamesFilesOfItsRepositoryAlone) {
  for (const char* name :
       {"../model.safetensors", "/etc/passwd", "none.safetensors", "config.json"}) {
    HubServer server;
    server.put("config.json", "{}");
    server.put("model.safetensors.index.json", Json{{"weight_map", {{"w", name}}}}.dump());
    server.start();
    EXPECT_THAT(fetch_error(server), HasSubstr("weight_map names the file")) << name;
  }
}

TEST(HubFaults, ListsThatAreNoneAreRefused) {
  const Json lists[] = {{{"sha", "main"}},
                        {{"sha", "../../../x"}},
                        {{"sha", nullptr}},
                        {{"siblings", 7}},
                        {{"siblings", {1, 2}}},
                        {{"siblings", {{{"rfilename", "a"}}, {{"rfilename", "a"}}}}},
                        {{"siblings", {{{"rfilename", "a"}, {"size", -1}}}}},
                        {{"siblings", {{{"rfilename", "a"}, {"size", 1e300}}}}},
                        {{"siblings", {{{"rfilename", "a"}, {"blobId", "../../x"}}}}},
                        {{"siblings", {{{"rfilename", "a"}, {"lfs", {{"sha256", "00"}}}}}}}};
  for (const Json& list : lists) {
    HubServer server(faults("listing", {{{"listing", list}}}));
    server.put_model();
    server.start();
    EXPECT_THAT(fetch_error(server),
                AllOf(HasSubstr("hf:owner/name@main: the server's list of files"),
                      HasSubstr("HF_ENDPOINT")))
        << list.dump();
  }
  HubServer server(faults("listing", {{{"status", 200}, {"body", "<html>log in</html>"}}}));
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server), HasSubstr("list of files"));
}

TEST(HubFaults, MissingThingsAreNamed) {
  HubServer server;
  server.put_model();
  server.start();
  EXPECT_THAT(
      error_of([&] {
        fetch_snapshot({"owner/name", "v9"}, Need::model, server.settings());
      }),
      AllOf(HasSubstr("hf:owner/name@v9"), HasSubstr("404"), HasSubstr("no such revision")));
  EXPECT_THAT(
      error_of([&] {
        fetch_snapshot({"no/such", "main"}, Need::model, server.settings());
      }),
      AllOf(HasSubstr("hf:no/such@main"), HasSubstr("404"), HasSubstr("no such repository")));
}

TEST(HubFaults, ClosedDoorsSayWhichKeyIsNeeded) {
  HubServer server(Json{{"token", "hf_secret"}});
  server.put_model();
  server.start();
  EXPECT_THAT(fetch_error(server),
              AllOf(HasSubstr("status 401"), HasSubstr("private or gated"), HasSubstr("HF_TOKEN")));
  Settings settings = server.settings();
  settings.token = "hf_other";
  EXPECT_THAT(fetch_error(settings),
              AllOf(HasSubstr("status 403"), HasSubstr("accept the terms at"),
                    HasSubstr("/owner/name"), HasSubstr("HF_TOKEN is set, but")));
  EXPECT_EQ(fetch_error(settings).find("hf_other"), std::string::npos);
}

// huggingface_hub too: a token that ran out does not take away a model that is here.
TEST(HubFaults, AClosedDoorLeavesWhatTheCacheHolds) {
  HubServer server(Json{{"token", "hf_secret"}});
  server.put_model();
  server.start();
  Settings settings = server.settings();
  settings.token = "hf_secret";
  const std::string folder = fetch_snapshot(kName, Need::tokenizer, settings);
  for (const char* token : {"", "hf_other"}) {
    settings.token = token;
    EXPECT_EQ(fetch_snapshot(kName, Need::tokenizer, settings), folder);
    EXPECT_NE(fetch_error(settings), "");  // the weights are not in the cache
  }
}

TEST(HubFaults, WhatAServerSaysIsPrintedPlainly) {
  HubServer server(faults(
      "listing", {{{"status", 400},
                   {"headers", {{"X-Error-Message", "bad \x1b[31m" + std::string(900, 'x')}}}}}));
  server.put_model();
  server.start();
  const std::string error = fetch_error(server);
  EXPECT_THAT(error, AllOf(HasSubstr("status 400"), HasSubstr("bad ?[31m")));
  EXPECT_LT(error.size(), 600u);
}

TEST(HubFaults, ADiskThatFillsUpIsNamedAndThePartIsKept) {
  HubServer server;
  server.put_model(4'000'000);
  server.start();
  fetch_snapshot(kName, Need::tokenizer, server.settings());
  {
    const FaultyFiles full({.fail_at = 12, .is_sticky = true, .error_number = ENOSPC});
    EXPECT_THAT(fetch_error(server),
                AllOf(HasSubstr(".incomplete"), HasSubstr("No space left"), HasSubstr("free in")));
    ASSERT_TRUE(FaultyFiles::was_hit());
  }
  EXPECT_THAT(incomplete(server), SizeIs(1));
  expect_good(server);
}

// Wherever a call of the file system fails: an Error, and the next call makes it good.
TEST(HubFaults, EveryFailingCallLeavesACacheThatTheNextRunMends) {
  HubServer server;
  server.put_model(1000);
  server.start();
  for (int n = 1;; ++n) {
    fs::remove_all(server.cache());
    bool was_hit = false;
    {
      const FaultyFiles faulty({.fail_at = n, .error_number = EIO});
      const std::string error = fetch_error(server);
      was_hit = FaultyFiles::was_hit();
      // A part's close may fail unseen: the whole is read back and synced before it counts.
      if (!error.empty()) {
        EXPECT_THAT(error, HasSubstr("failed")) << n;
      }
    }
    expect_good(server);
    if (!was_hit) break;
    ASSERT_LT(n, 500);
  }
}

TEST(HubFaults, AProxyOfTheEnvironmentIsUsed) {
  HubServer server;
  server.put_model(1000);
  server.start();
  Settings behind = server.settings();
  behind.endpoint = "http://hub.invalid";
  ::setenv("http_proxy", server.endpoint().c_str(), 1);
  EXPECT_EQ(fetch_error(behind), "");
  ::unsetenv("http_proxy");
  EXPECT_EQ(server.requests().front()["host"], "hub.invalid");
}

TEST(HubFaults, AFullDiskIsSaidBeforeAnythingIsFetched) {
  Json file = {{"rfilename", "model.safetensors"},
               {"lfs", {{"sha256", std::string(64, '0')}, {"size", std::uint64_t{1} << 49}}}};
  HubServer server(Json{{"extra", {file}}});
  server.put("config.json", "{}");
  server.start();
  EXPECT_THAT(fetch_error(server),
              AllOf(HasSubstr("needs 563 TB"), HasSubstr("free"), HasSubstr("HF_HOME")));
  EXPECT_THAT(server.requests_for("/resolve/"), IsEmpty());
}

}  // namespace
}  // namespace plumb::hub
