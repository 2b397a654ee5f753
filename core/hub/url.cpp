#include "core/hub/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "core/error.h"

namespace plumb::hub {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

Url parse_url(const std::string& text) {
  Url url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    throw Error("'" + text + "': is no URL");
  }
  return url;
}

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  const std::string copy = text;
  curl_free(text);
  return copy;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string escape(std::string_view text, std::string_view kept) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || kept.find(c) != std::string_view::npos) {
      escaped += c;
    } else {
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace

std::string host_of(const std::string& url) {
  return part(parse_url(url), CURLUPART_HOST);
}

std::string redirected(const std::string& from, const std::string& location) {
  const Url url = parse_url(from);
  const std::string old_scheme = part(url, CURLUPART_SCHEME);
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    throw Error(host_of(from) + ": redirects to " + location.substr(0, 200) + ", which is no URL");
  }
  const std::string scheme = part(url, CURLUPART_SCHEME);
  const bool is_allowed = scheme == "https" || (scheme == "http" && old_scheme == "http");
  if (!is_allowed) {
    throw Error(host_of(from) + ": redirects from " + old_scheme + " to " + scheme +
                "; only https, or http from http, is followed");
  }
  return part(url, CURLUPART_URL);
}

std::string escape_path(std::string_view path) {
  return escape(path, "-_.~/");
}

std::string escape_component(std::string_view text) {
  return escape(text, "-_.~");
}

bool is_same_origin(const std::string& a, const std::string& b) {
  const Url left = parse_url(a), right = parse_url(b);
  for (const CURLUPart which : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    const unsigned flags = which == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    if (lower(part(left, which, flags)) != lower(part(right, which, flags))) return false;
  }
  return true;
}

}  // namespace plumb::hub
