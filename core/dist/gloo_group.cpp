// The wheel is built with Gloo but its headers do not say so.
#define USE_C10D_GLOO
#include "core/dist/gloo_group.h"

#include <cstdlib>
#include <string>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/dist/rendezvous.h"
#include "core/log.h"

namespace plumb {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// torchrun's agent serves a store of its own at MASTER_ADDR, for all its ranks to connect to; after
// a restart of the ranks the keys of the former attempt are still in it.
bool agent_serves_store() {
  return variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
}

int server_socket(const RankEnv& env) {
  const int inherited = take_inherited_listener();
  if (inherited >= 0) return inherited;
  const int own = listen_on(env.master_addr, env.master_port);
  if (own < 0) {
    log::warning("MASTER_ADDR=" + env.master_addr +
                 " is no address of this machine: rank 0 listens on all interfaces, port " +
                 std::to_string(env.master_port));
  }
  return own;
}

}  // namespace

c10::intrusive_ptr<c10d::Store> connect_store(const RankEnv& env,
                                              std::chrono::milliseconds timeout) {
  const bool agent = agent_serves_store();
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(env.master_port);
  options.timeout = timeout;
  options.isServer = env.rank == 0 && !agent;
  // Gloo's own connection waits for the others; the agent's store would count ranks of its kind.
  options.waitWorkers = !agent;
  if (!agent) options.numWorkers = static_cast<std::size_t>(env.world_size);
  // The libuv server writes to vanished clients without MSG_NOSIGNAL: SIGPIPE would end rank 0.
  options.useLibUV = false;
  if (options.isServer) {
    const int socket = server_socket(env);
    if (socket >= 0) options.masterListenFd = socket;
  }
  const std::string host = env.master_addr == "localhost" ? "127.0.0.1" : env.master_addr;
  c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::TCPStore>(host, options);
  const std::string attempt = variable("TORCHELASTIC_RESTART_COUNT");
  return c10::make_intrusive<c10d::PrefixStore>("plumb/" + (attempt.empty() ? "0" : attempt),
                                                store);
}

c10::intrusive_ptr<c10d::Backend> connect_gloo(const RankEnv& env,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               std::chrono::milliseconds timeout) {
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(timeout);
  options->threads = 1;  // Comm waits for each collective before the next
  const std::string interface = variable("GLOO_SOCKET_IFNAME");
  if (is_loopback(env.master_addr)) {
    const bool is_v6 = env.master_addr.find(':') != std::string::npos;
    options->devices.push_back(Gloo::createDeviceForHostname(is_v6 ? "::1" : "127.0.0.1"));
  } else if (!interface.empty()) {
    options->devices.push_back(Gloo::createDeviceForInterface(interface));
  } else {
    // Not Gloo's default, the address of the own hostname: Debian maps that to 127.0.1.1.
    options->devices.push_back(
        Gloo::createDeviceForHostname(local_address_towards(env.master_addr, env.master_port)));
  }
  return c10::make_intrusive<Gloo>(store, env.rank, env.world_size, options);
}

}  // namespace plumb
