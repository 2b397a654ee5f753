#include "core/hub/reference.h"

#include <algorithm>

#include "core/error.h"

namespace plumb::hub {
namespace {

constexpr std::string_view kPrefix = "hf:";
constexpr std::size_t kLongestName = 96;
constexpr std::size_t kLongestPath = 1024;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

[[noreturn]] void refuse(const std::string& text, const std::string& rule) {
  throw Error("'" + text + "': " + rule + "; a model on the hub is hf:owner/name or " +
                  "hf:owner/name@revision",
              Exit::usage);
}

void check_name(const std::string& name, const std::string& text) {
  if (name.empty()) refuse(text, "the name is empty");
  for (const char c : name) {
    if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.') {
      refuse(text, "owner and name hold letters, digits, - _ and . alone");
    }
  }
  const auto is_edge = [](char c) { return c == '-' || c == '.'; };
  if (is_edge(name.front()) || is_edge(name.back())) {
    refuse(text, "owner and name neither begin nor end with - or .");
  }
}

void check_repo(const std::string& repo, const std::string& text) {
  if (std::count(repo.begin(), repo.end(), '/') > 1) refuse(text, "one slash at most");
  if (repo.size() > kLongestName) refuse(text, "owner/name has at most 96 characters");
  if (repo.find("--") != std::string::npos || repo.find("..") != std::string::npos) {
    refuse(text, "owner and name hold neither -- nor ..");
  }
  if (repo.ends_with(".git")) refuse(text, "the name does not end with .git");
  const std::size_t slash = repo.find('/');
  if (slash != std::string::npos) check_name(repo.substr(0, slash), text);
  check_name(slash == std::string::npos ? repo : repo.substr(slash + 1), text);
}

}  // namespace

bool is_reference(std::string_view model) {
  return model.substr(0, kPrefix.size()) == kPrefix;
}

Reference parse_reference(const std::string& text) {
  if (!is_reference(text)) refuse(text, "does not begin with hf:");
  std::string rest = text.substr(kPrefix.size());
  Reference reference;
  const std::size_t at = rest.find('@');
  if (at != std::string::npos) {
    reference.revision = rest.substr(at + 1);
    rest.resize(at);
    // A ref is also the path of a file in the cache.
    if (!is_safe_path(reference.revision)) {
      refuse(text, "the revision after @ is a branch, a tag, a commit or refs/pr/N");
    }
  }
  check_repo(rest, text);
  reference.repo = rest;
  return reference;
}

bool is_commit(std::string_view revision) {
  constexpr std::size_t kDigits = 40;
  return revision.size() == kDigits &&
         revision.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kLongestPath) return false;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\') return false;
  }
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty() || name == "." || name == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace plumb::hub
