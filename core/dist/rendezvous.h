// The sockets by which ranks find one another. c10d's TCPStore would listen on every interface;
// it is therefore always given a socket that was bound here, to one address.
#pragma once
#include <string>

namespace plumb {

// True for "localhost", 127.0.0.0/8 and ::1.
bool is_loopback(const std::string& host);

// A TCP socket listening on `host` (a name or address) and `port` (0: any free one), close-on-exec.
// Returns -1 when the address is not one of this machine's (a NAT or service address); throws Error
// for anything else, such as a port in use.
int listen_on(const std::string& host, int port);

// The port that a socket of listen_on() got.
int port_of(int descriptor);

// The address of this machine from which `host` is reached. Throws Error when there is none.
std::string local_address_towards(const std::string& host, int port);

// The listening socket that the supervisor handed to rank 0 by inheritance, or -1. It is given out
// once: the caller owns it.
int take_inherited_listener();

// Name of the variable that carries its number.
inline constexpr const char* kListenerVariable = "PLUMB_MASTER_FD";

}  // namespace plumb
