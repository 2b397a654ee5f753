#include "core/dist/rank_env.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>

#include "core/dist/rendezvous.h"
#include "core/error.h"

namespace plumb {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::string required(const char* name) {
  if (auto value = variable(name)) return *value;
  throw Error(
      std::string("environment: ") + name +
          " is missing, though RANK or WORLD_SIZE is set; a job of several ranks needs "
          "RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT (torchrun sets them), or unset all "
          "and use --ranks N",
      Exit::usage);
}

int integer(const char* name, const std::string& text, int minimum, int maximum) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= minimum && value <= maximum) return value;
  throw Error(std::string("environment: ") + name + "=" + text + ": must be a whole number from " +
                  std::to_string(minimum) + " to " + std::to_string(maximum),
              Exit::usage);
}

}  // namespace

RankEnv RankEnv::from_environment() {
  RankEnv env;
  if (!variable("RANK") && !variable("WORLD_SIZE")) return env;
  const int any = std::numeric_limits<int>::max();
  env.world_size = integer("WORLD_SIZE", required("WORLD_SIZE"), 1, any);
  env.rank = integer("RANK", required("RANK"), 0, env.world_size - 1);
  if (env.world_size > 1) {
    env.master_addr = required("MASTER_ADDR");
    env.master_port = integer("MASTER_PORT", required("MASTER_PORT"), 1, 65535);
  }
  const bool one_machine = env.world_size == 1 || is_loopback(env.master_addr);
  if (const auto local = variable("LOCAL_RANK")) {
    env.local_rank = integer("LOCAL_RANK", *local, 0, env.world_size - 1);
  } else {
    env.local_rank = one_machine ? env.rank : integer("LOCAL_RANK", required("LOCAL_RANK"), 0, any);
  }
  return env;
}

}  // namespace plumb
