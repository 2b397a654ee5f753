#include "tests/simt/source_line.h"

#include <backtrace.h>
#include <cxxabi.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <unordered_map>

namespace plumb::simt {
namespace {

bool is_harness(const std::string& file) {
  return file.starts_with("tests/simt/cuda_") || file.starts_with("tests/simt/runtime");
}

std::string below_root(const std::string& file) {
  const std::string root = std::string(PLUMB_SOURCE_DIR) + "/";
  return file.starts_with(root) ? file.substr(root.size()) : file;
}

int add_frame(void* lines, uintptr_t, const char* file, int line, const char*) {
  if (file != nullptr && !is_harness(below_root(file))) {
    static_cast<std::vector<SourceLine>*>(lines)->push_back({below_root(file), line});
  }
  return 0;
}

void ignore_error(void*, const char*, int) {}

void keep_symbol(void* name, uintptr_t, const char* symbol, uintptr_t, uintptr_t) {
  *static_cast<std::string*>(name) = symbol == nullptr ? "" : symbol;
}

backtrace_state* program() {
  static backtrace_state* const state = backtrace_create_state(nullptr, 0, ignore_error, nullptr);
  return state;
}

}  // namespace

const std::vector<SourceLine>& source_lines(const void* return_address) {
  static std::unordered_map<const void*, std::vector<SourceLine>> known;
  const auto [entry, is_new] = known.try_emplace(return_address);
  if (is_new && return_address != nullptr) {
    // The call stands before the address it returns to.
    backtrace_pcinfo(program(), reinterpret_cast<uintptr_t>(return_address) - 1, add_frame,
                     ignore_error, &entry->second);
  }
  return entry->second;
}

std::string source_text(const void* return_address) {
  std::string text;
  for (const SourceLine& at : source_lines(return_address)) {
    text += (text.empty() ? "" : " in ") + at.file + ":" + std::to_string(at.line);
  }
  return text.empty() ? "an unknown line" : text;
}

std::string function_name(const void* code) {
  std::string name;
  backtrace_syminfo(program(), reinterpret_cast<uintptr_t>(code), keep_symbol, ignore_error, &name);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? plain.get() : name;
}

}  // namespace plumb::simt
