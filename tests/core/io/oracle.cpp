#include "tests/core/io/oracle.h"

#include <stdio.h>

#include <array>
#include <stdexcept>

#include "core/io/files.h"

namespace plumb {

std::optional<Json> ask_oracle(const std::string& arguments) {
  const std::string python = ".deps/oracle/bin/python";
  if (!files::exists(python)) return std::nullopt;
  const std::string command =
      "HF_HUB_OFFLINE=1 " + python + " tests/oracle/make_safetensors.py " + arguments;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  std::string output;
  std::array<char, 4096> block;
  std::size_t got = 0;
  while ((got = ::fread(block.data(), 1, block.size(), pipe)) > 0) output.append(block.data(), got);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + " failed: " + output);
  return parse_json(output, command);
}

}  // namespace plumb
