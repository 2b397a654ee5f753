// hub_server.py, started for one test, with a cache folder of the test's own.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/hub/settings.h"
#include "core/io/json.h"
#include "tests/core/io/temp_folder.h"

namespace plumb::hub {

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

class HubServer {
 public:
  // `scenario`: what hub_server.py documents; commit is filled in.
  explicit HubServer(Json scenario = Json::object());
  ~HubServer();
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  void put(const std::string& path, const std::string& bytes) const;
  // A model of one file of weights of `bytes` bytes, with config and tokenizer.
  void put_model(std::size_t bytes = 300'000) const;
  void start(const Json& scenario_changes = Json::object());

  // Pauses of milliseconds, a stall of a second.
  Settings settings() const;
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(hub_port_); }
  std::string cache() const { return folder_.at("cache"); }
  std::string home() const { return folder_.path(); }
  std::string repo_file(const std::string& path) const { return folder_.at("repo/" + path); }
  std::string cached(const std::string& path) const {
    return cache() + "/models--owner--name/" + path;
  }

  std::vector<Json> requests() const;
  // Of those, to a path that holds `part`.
  std::vector<Json> requests_for(const std::string& part) const;

 private:
  void stop();

  TempFolder folder_;
  Json scenario_;
  pid_t pid_ = -1;
  int stdin_ = -1;
  int hub_port_ = 0;
  int cdn_port_ = 0;
};

}  // namespace plumb::hub
