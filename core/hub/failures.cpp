#include "core/hub/failures.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>

#include "core/error.h"
#include "core/log.h"

namespace plumb::hub {
namespace {

std::string header(const Response& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

// What a server says goes to a terminal: printable ASCII alone, and not much of it.
std::string quoted(const std::string& text) {
  constexpr std::size_t kMost = 200;
  std::string plain;
  for (const char c : text.substr(0, kMost)) plain += c >= ' ' && c <= '~' ? c : '?';
  return plain.empty() ? "" : " (\"" + plain + "\")";
}

std::optional<double> asked_pause(const Response& response) {
  const std::string text = header(response, "retry-after");
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

bool may_pass(long status) {
  constexpr long kRequestTimeout = 408, kTooEarly = 425, kTooMany = 429, kServerErrors = 500;
  return status == kRequestTimeout || status == kTooEarly || status == kTooMany ||
         status >= kServerErrors;
}

std::string token_advice(const Settings& settings) {
  return settings.token.empty() ? "set HF_TOKEN to a token that may read it (made at " +
                                      settings.endpoint + "/settings/tokens)"
                                : "HF_TOKEN is set, but it is not one that may read it";
}

std::string advice(const Response& response, const Reference& reference, const std::string& file,
                   const Settings& settings) {
  const std::string code = header(response, "x-error-code");
  const std::string page = settings.endpoint + "/" + reference.repo;
  if (code == "RevisionNotFound") {
    return "no such revision; its branches and tags are listed at " + page + "/tree/main";
  }
  if (code == "EntryNotFound") return "the file is not there at this revision";
  if (code == "GatedRepo" || response.status == 403) {
    return "access is gated: accept the terms at " + page + ", then " + token_advice(settings);
  }
  if (response.status == 401 || code == "RepoNotFound") {
    return "there is no such repository, or it is private or gated: check the name at " + page +
           "; if it is there, " + token_advice(settings);
  }
  if (response.status == 404) {
    return file.empty() ? "no such repository or revision; check the name at " + page
                        : "the file is not there at this revision";
  }
  return "check HF_ENDPOINT and the proxies in the environment";
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

std::string in_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g s", seconds);
  return text;
}

}  // namespace

void with_retries(const Settings& settings, const std::string& what,
                  const std::function<void()>& attempt) {
  double pause = settings.first_pause;
  for (int tried = 1;; ++tried) {
    TryAgain failure("");
    try {
      return attempt();
    } catch (const TryAgain& again) {
      failure = again;
    } catch (const TransportFailure& lost) {
      failure = TryAgain(lost.what());
    }
    if (failure.made_progress) {
      tried = 1;
      pause = settings.first_pause;
    }
    if (tried >= settings.attempts) {
      throw Unreachable(what + ": " + failure.what() + " (" + std::to_string(tried) + " attempts)");
    }
    const double wait = std::min(failure.pause.value_or(pause), settings.longest_pause);
    log::warning("hub: " + what + ": " + failure.what() + "; attempt " + std::to_string(tried + 1) +
                 " of " + std::to_string(settings.attempts) + " in " + in_seconds(wait));
    sleep_for(wait);
    pause = std::min(2 * pause, settings.longest_pause);
  }
}

void fail_with_status(const Response& response, const Reference& reference, const std::string& file,
                      const Settings& settings) {
  const std::string status = "status " + std::to_string(response.status);
  std::string said = header(response, "x-error-message");
  if (said.empty() && header(response, "content-type").starts_with("application/json")) {
    said = response.error_body;
  }
  if (may_pass(response.status)) throw TryAgain(status + quoted(said), asked_pause(response));
  const std::string problem = reference.text() + (file.empty() ? "" : ": " + file) + ": " + status +
                              quoted(said) + ": " + advice(response, reference, file, settings);
  constexpr long kUnauthorized = 401, kForbidden = 403;
  if (response.status == kUnauthorized || response.status == kForbidden) throw Refused(problem);
  throw Error(problem);
}

}  // namespace plumb::hub
