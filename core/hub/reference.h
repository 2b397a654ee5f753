// A model named by where it stands on the Hugging Face hub: hf:owner/name[@revision].
#pragma once
#include <string>
#include <string_view>

namespace plumb::hub {

struct Reference {
  std::string repo;               // "owner/name", or "name" alone, as the oldest models have it
  std::string revision = "main";  // a branch, a tag, a commit, or refs/pr/N

  std::string text() const { return "hf:" + repo + "@" + revision; }
};

// Whether `model` is a reference and no path: it begins with "hf:".
bool is_reference(std::string_view model);

// Throws Error (usage) naming the rule that `text` breaks. The rules are those of
// huggingface_hub's validate_repo_id, and git's for names of refs.
Reference parse_reference(const std::string& text);

// 40 hexadecimal digits: a commit, which cannot move.
bool is_commit(std::string_view revision);

// A path relative to a folder that cannot leave it: plain names between single slashes, none of
// them "." or "..", no control character, no backslash.
bool is_safe_path(std::string_view path);

}  // namespace plumb::hub
