#include "tests/core/hub/hub_server.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace plumb::hub {
namespace {

constexpr const char* kScript = "tests/core/hub/hub_server.py";

}  // namespace

HubServer::HubServer(Json scenario) : scenario_(std::move(scenario)) {
  scenario_["commit"] = kCommit;
  std::filesystem::create_directories(folder_.at("repo"));
}

HubServer::~HubServer() {
  stop();
}

void HubServer::put(const std::string& path, const std::string& bytes) const {
  folder_.put("repo/" + path, bytes);
}

void HubServer::put_model(std::size_t bytes) const {
  put("config.json", R"({"model_type": "llama"})");
  put("tokenizer.json", R"({"version": "1.0"})");
  put("README.md", "not fetched");
  std::string weights;
  for (std::size_t i = 0; i < bytes; ++i) {
    weights += static_cast<char>((i * 2654435761u) >> 13);
  }
  put("model.safetensors", weights);
}

void HubServer::start(const Json& scenario_changes) {
  stop();
  scenario_.update(scenario_changes);
  const std::string scenario = folder_.put("scenario.json", scenario_.dump());
  const std::string repo = folder_.at("repo");
  int to_child[2], from_child[2];
  if (::pipe(to_child) != 0 || ::pipe(from_child) != 0) throw std::runtime_error("pipe failed");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(to_child[0], STDIN_FILENO);
    ::dup2(from_child[1], STDOUT_FILENO);
    for (const int end : {to_child[0], to_child[1], from_child[0], from_child[1]}) ::close(end);
    ::execl(PLUMB_PYTHON, PLUMB_PYTHON, kScript, repo.c_str(), scenario.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  stdin_ = to_child[1];
  FILE* ports = ::fdopen(from_child[0], "r");
  const int read = ::fscanf(ports, "%d %d", &hub_port_, &cdn_port_);
  ::fclose(ports);
  if (read != 2) throw std::runtime_error("hub_server.py did not start");
}

void HubServer::stop() {
  if (pid_ < 0) return;
  ::close(stdin_);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Settings HubServer::settings() const {
  Settings settings;
  settings.endpoint = endpoint();
  settings.cache = cache();
  settings.first_pause = 0.01;
  settings.longest_pause = 0.05;
  settings.stall_timeout = 1;
  return settings;
}

std::vector<Json> HubServer::requests() const {
  std::vector<Json> all;
  std::ifstream log(folder_.at("repo.log"));
  for (std::string line; std::getline(log, line);) all.push_back(Json::parse(line));
  return all;
}

std::vector<Json> HubServer::requests_for(const std::string& part) const {
  std::vector<Json> some;
  for (const Json& request : requests()) {
    if (request["path"].get<std::string>().find(part) != std::string::npos) {
      some.push_back(request);
    }
  }
  return some;
}

}  // namespace plumb::hub
