// GET over libcurl, as a download needs it: redirects followed by hand, so that a token stays with
// the server that it is for; a stalled transfer given up; every failure told apart by whether
// another attempt can help. Proxies are libcurl's business (https_proxy, no_proxy, ...).
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/hub/settings.h"

namespace plumb::hub {

using Headers = std::map<std::string, std::string>;  // lower-case names

struct Response {
  long status = 0;
  std::string url;         // of the last hop
  Headers headers;         // of the last hop
  Headers first_headers;   // of the first: the hub's own, before it sends on to where bytes lie
  std::string error_body;  // what an answer other than 200 and 206 said, its first 4096 bytes
};

struct Request {
  std::string url;
  std::uint64_t from = 0;     // above 0: the bytes from here on (Range)
  bool only_headers = false;  // HEAD, and redirects to another server are not followed
};

// What receives the body of a 200 or 206. Both may throw; the transfer ends and the exception goes
// on to the caller of get().
struct BodyReader {
  std::function<void(const Response&)> on_headers = {};
  std::function<void(std::string_view)> on_body = {};
};

// The network failed in a way that may pass: no connection, a reset, a stall, a body cut short.
struct TransportFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Answers of every status are returned. Throws TransportFailure, or Error for what stays wrong (a
// certificate that does not verify, more than 10 redirects, one from https to http or to another
// scheme).
Response get(const Request& request, const Settings& settings, const BodyReader& reader);

}  // namespace plumb::hub
