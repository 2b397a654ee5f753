#include "core/hub/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "core/error.h"
#include "core/io/files.h"

namespace plumb::hub {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The first of these variables that is set and not empty.
std::string first_of(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::string value = variable(name); !value.empty()) return value;
  }
  return "";
}

std::string with_home(const std::string& path) {
  const bool is_home = path == "~" || path.starts_with("~/");
  return is_home ? variable("HOME") + path.substr(1) : path;
}

std::string hub_home() {
  if (const std::string home = variable("HF_HOME"); !home.empty()) return with_home(home);
  const std::string caches = variable("XDG_CACHE_HOME");
  if (!caches.empty()) return with_home(caches) + "/huggingface";
  if (variable("HOME").empty()) {
    throw Error("neither HF_HOME nor HOME is set: there is no place for downloaded models",
                Exit::usage);
  }
  return variable("HOME") + "/.cache/huggingface";
}

bool is_true(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

long seconds(const char* name, long otherwise) {
  const std::string text = variable(name);
  if (text.empty()) return otherwise;
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1) {
    throw Error(std::string(name) + "=" + text + ": must be a whole number of seconds from 1 on",
                Exit::usage);
  }
  return value;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string checked_token(const std::string& text, const std::string& source) {
  const std::string token = trimmed(text);
  for (const char c : token) {
    // It becomes a header line: a line break inside would be another header.
    if (c <= ' ' || c > '~') {
      throw Error(source + ": the token holds a space or a character that no token has",
                  Exit::usage);
    }
  }
  return token;
}

std::string read_token() {
  const std::string given = first_of({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"});
  if (!given.empty()) return checked_token(given, "HF_TOKEN");
  const std::string named = variable("HF_TOKEN_PATH");
  const std::string path = named.empty() ? hub_home() + "/token" : with_home(named);
  constexpr std::size_t kMostBytes = 4096;
  return files::exists(path) ? checked_token(files::read_file(path, kMostBytes), path) : "";
}

std::string read_endpoint(const std::string& otherwise) {
  std::string endpoint = variable("HF_ENDPOINT");
  if (endpoint.empty()) return otherwise;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (!endpoint.starts_with("https://") && !endpoint.starts_with("http://")) {
    throw Error("HF_ENDPOINT=" + endpoint + ": must begin with https:// or http://", Exit::usage);
  }
  return endpoint;
}

}  // namespace

Settings settings_from_environment() {
  Settings settings;
  settings.endpoint = read_endpoint(settings.endpoint);
  const std::string cache = first_of({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  settings.cache = cache.empty() ? hub_home() + "/hub" : with_home(cache);
  settings.token = read_token();
  settings.is_offline = is_true(first_of({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}));
  settings.certificates = first_of({"SSL_CERT_FILE", "CURL_CA_BUNDLE"});
  settings.connect_timeout = seconds("HF_HUB_ETAG_TIMEOUT", settings.connect_timeout);
  settings.stall_timeout = seconds("HF_HUB_DOWNLOAD_TIMEOUT", settings.stall_timeout);
  return settings;
}

}  // namespace plumb::hub
