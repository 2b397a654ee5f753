#include "core/hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <exception>
#include <memory>

#include "core/error.h"
#include "core/hub/url.h"

namespace plumb::hub {
namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kErrorBytes = 4096;

void start_curl_once() {
  // Here and not in main: it costs milliseconds that only a download should pay.
  static const CURLcode status = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (status != CURLE_OK) {
    throw Error(std::string("libcurl cannot start: ") + curl_easy_strerror(status), Exit::failed);
  }
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

void add(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  if (!list) list.reset(longer);
}

// One request and its answer, without redirects.
struct Hop {
  CURL* easy;
  const BodyReader& reader;
  Response response = {};
  bool told_headers = false;
  std::exception_ptr thrown = {};

  void header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      response.headers.clear();  // of a 100 Continue, or of a proxy's own answer
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    response.headers[lower(std::string(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
  }

  bool is_success() const { return response.status == 200 || response.status == 206; }

  void body(std::string_view bytes) {
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response.status);
    if (!is_success()) {
      const std::size_t room = kErrorBytes - std::min(kErrorBytes, response.error_body.size());
      response.error_body += bytes.substr(0, room);
      return;
    }
    tell_headers();
    if (reader.on_body) reader.on_body(bytes);
  }

  void tell_headers() {
    if (!told_headers && reader.on_headers) reader.on_headers(response);
    told_headers = true;
  }

  // libcurl is C: nothing may be thrown through it.
  template <class Action>
  bool guarded(Action&& action) {
    try {
      action();
      return true;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }
};

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* hop) {
  const std::string_view line(bytes, size * count);
  auto* to = static_cast<Hop*>(hop);
  return to->guarded([&] { to->header(line); }) ? line.size() : 0;
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* hop) {
  const std::string_view piece(bytes, size * count);
  auto* to = static_cast<Hop*>(hop);
  const bool taken = to->guarded([&] { to->body(piece); });
  return taken ? piece.size() : CURL_WRITEFUNC_ERROR;
}

void set_limits(CURL* easy, const Settings& settings) {
  constexpr long kSlowestBytesASecond = 1000;
  constexpr long kBufferBytes = 256 * 1024;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, settings.connect_timeout);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kSlowestBytesASecond);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, settings.stall_timeout);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "plumb");
  if (!settings.certificates.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, settings.certificates.c_str());
  }
}

// What no second attempt mends.
bool is_lasting(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void fail(CURLcode code, const char* detail, const std::string& url) {
  std::string problem = *detail != '\0' ? detail : curl_easy_strerror(code);
  problem = host_of(url) + ": " + problem;
  if (!is_lasting(code)) throw TransportFailure(problem);
  const bool is_certificate =
      code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
  throw Error(
      problem + (is_certificate ? " (SSL_CERT_FILE names another file of certificates)" : ""),
      Exit::failed);
}

Response perform(CURL* easy, const Request& request, bool with_token, const Settings& settings,
                 const BodyReader& reader) {
  curl_easy_reset(easy);
  Hop hop{easy, reader};
  char detail[CURL_ERROR_SIZE] = "";
  HeaderList headers;
  if (with_token && !settings.token.empty())
    add(headers, "Authorization: Bearer " + settings.token);
  const std::string range = std::to_string(request.from) + "-";
  set_limits(easy, settings);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOBODY, request.only_headers ? 1L : 0L);
  if (request.from > 0) curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &hop);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &hop);
  const CURLcode code = curl_easy_perform(easy);
  if (hop.thrown) std::rethrow_exception(hop.thrown);
  if (code != CURLE_OK) fail(code, detail, request.url);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &hop.response.status);
  hop.response.url = request.url;
  if (hop.is_success()) hop.tell_headers();  // of an empty body
  return hop.response;
}

bool is_redirect(const Response& response) {
  const long status = response.status;
  const bool is_moved =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  return is_moved && response.headers.contains("location");
}

}  // namespace

Response get(const Request& request, const Settings& settings, const BodyReader& reader) {
  start_curl_once();
  const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  Request hop = request;
  Headers first_headers;
  for (int hops = 0; hops <= kMostRedirects; ++hops) {
    BodyReader with_first = reader;
    if (reader.on_headers) {
      with_first.on_headers = [&](const Response& response) {
        Response whole = response;
        whole.first_headers = hops == 0 ? response.headers : first_headers;
        reader.on_headers(whole);
      };
    }
    Response response =
        perform(easy.get(), hop, is_same_origin(hop.url, settings.endpoint), settings, with_first);
    if (hops == 0) first_headers = response.headers;
    response.first_headers = first_headers;
    if (!is_redirect(response)) return response;
    const std::string next = redirected(hop.url, response.headers.at("location"));
    if (request.only_headers && !is_same_origin(next, hop.url)) return response;
    hop.url = next;
  }
  throw Error(request.url + ": more than 10 redirects");
}

}  // namespace plumb::hub
