// Answers that are no success, as a user reads them, and attempts that are made again.
#pragma once
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/error.h"
#include "core/hub/http.h"
#include "core/hub/reference.h"

namespace plumb::hub {

// This attempt failed; another may do. `pause` in seconds: what the server asks for.
struct TryAgain : std::runtime_error {
  explicit TryAgain(const std::string& reason, std::optional<double> wait = std::nullopt,
                    bool progress = false)
      : std::runtime_error(reason), pause(wait), made_progress(progress) {}
  std::optional<double> pause;
  bool made_progress;  // bytes came: attempts are counted anew
};

// The hub cannot be reached or is out of order; the cache may do.
struct Unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The hub wants another token, or none may see the repository (401, 403); the cache may do, as it
// does for huggingface_hub.
struct Refused : Error {
  using Error::Error;
};

// Runs `attempt` until it returns, at most settings.attempts times in a row, pausing ever longer.
// `what` names repository and file. Throws Unreachable when the last attempt fails.
void with_retries(const Settings& settings, const std::string& what,
                  const std::function<void()>& attempt);

// Throws for a response that is no success: TryAgain for 408, 425, 429 and 5xx; else Refused or
// another Error with status, what the hub says, and what to do. `file` is empty for the list of
// files.
[[noreturn]] void fail_with_status(const Response& response, const Reference& reference,
                                   const std::string& file, const Settings& settings);

}  // namespace plumb::hub
