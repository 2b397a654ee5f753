#include "core/dist/rendezvous.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/error.h"

namespace plumb {
namespace {

// Enough for every rank of a large job to knock before rank 0 accepts.
constexpr int kBacklog = 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

std::string place(const std::string& host, int port) {
  return host + " port " + std::to_string(port);
}

[[noreturn]] void fail(const std::string& what, const std::string& why) {
  throw Error("rendezvous: " + what + ": " + why, Exit::failed);
}

Addresses resolve(const std::string& host, int port, int socket_type) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = socket_type;
  hints.ai_flags = AI_NUMERICSERV;
  // "localhost" may resolve to ::1 on one rank and 127.0.0.1 on another; settle it here.
  const std::string name = host == "localhost" ? "127.0.0.1" : host;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    fail("MASTER_ADDR=" + host + " cannot be resolved", ::gai_strerror(code));
  }
  return Addresses(found, &::freeaddrinfo);
}

int open_socket(const addrinfo& address) {
  const int descriptor =
      ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (descriptor < 0) fail("socket", std::strerror(errno));
  return descriptor;
}

}  // namespace

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int listen_on(const std::string& host, int port) {
  const Addresses addresses = resolve(host, port, SOCK_STREAM);
  const int descriptor = open_socket(*addresses);
  // A job restarted at once must not wait for the old connections' TIME_WAIT.
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(descriptor, addresses->ai_addr, addresses->ai_addrlen) == 0 &&
      ::listen(descriptor, kBacklog) == 0) {
    return descriptor;
  }
  const int error = errno;
  ::close(descriptor);
  if (error == EADDRNOTAVAIL) return -1;
  std::string why = std::strerror(error);
  if (error == EADDRINUSE) why += "; another job uses it: choose another MASTER_PORT";
  fail("cannot listen on " + place(host, port), why);
}

int port_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("getsockname", std::strerror(errno));
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string local_address_towards(const std::string& host, int port) {
  const Addresses addresses = resolve(host, port, SOCK_DGRAM);
  const int descriptor = open_socket(*addresses);
  // Connecting a datagram socket sends nothing: the kernel only chooses route and source address.
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  const bool routed = ::connect(descriptor, addresses->ai_addr, addresses->ai_addrlen) == 0 &&
                      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!routed) fail("no route to MASTER_ADDR=" + host, std::strerror(error));
  char text[NI_MAXHOST] = {};
  ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof text, nullptr, 0,
                NI_NUMERICHOST);
  return text;
}

int take_inherited_listener() {
  const char* value = std::getenv(kListenerVariable);
  if (value == nullptr) return -1;
  const int descriptor = std::atoi(value);
  ::unsetenv(kListenerVariable);
  int listening = 0;
  socklen_t size = sizeof listening;
  const bool usable = ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0;
  if (!usable || listening == 0) {
    fail(std::string(kListenerVariable) + " names no listening socket",
         "the variable is the supervisor's; unset it");
  }
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

}  // namespace plumb
