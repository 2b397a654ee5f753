#include "core/train/recipe_diff.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

namespace plumb {
namespace {

using Flat = std::map<std::string, std::string>;  // dotted key -> value as written

void flatten(const YAML::Node& node, const std::string& key, Flat& flat) {
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const auto name = entry.first.as<std::string>();
      flatten(entry.second, key.empty() ? name : key + "." + name, flat);
    }
  } else if (node.IsSequence()) {
    flat[key] = std::to_string(node.size()) + " entries";
    for (std::size_t i = 0; i < node.size(); ++i) {
      flatten(node[i], key + "[" + std::to_string(i) + "]", flat);
    }
  } else {
    flat[key] = node.IsNull() ? "unset" : node.as<std::string>();
  }
}

bool matters(const std::string& key) {
  static const std::set<std::string> cosmetic = {
      "out",   "log_every", "eval_every", "checkpoint_every", "keep_checkpoints",
      "quiet", "keep",      "store",      "samples_every",    "samples_shown"};
  const auto dot = key.rfind('.');
  return !cosmetic.contains(dot == std::string::npos ? key : key.substr(dot + 1));
}

}  // namespace

std::vector<std::string> recipe_differences(const std::string& before, const std::string& now) {
  Flat old_values, new_values;
  flatten(YAML::Load(before), "", old_values);
  flatten(YAML::Load(now), "", new_values);
  std::set<std::string> keys;
  for (const auto& [key, value] : old_values) keys.insert(key);
  for (const auto& [key, value] : new_values) keys.insert(key);

  const auto value_in = [](const Flat& flat, const std::string& key) {
    const auto found = flat.find(key);
    return found == flat.end() ? std::string("absent") : found->second;
  };
  std::vector<std::string> differences;
  for (const std::string& key : keys) {
    const std::string was = value_in(old_values, key), is = value_in(new_values, key);
    if (was != is && matters(key)) {
      differences.push_back(key + ": " + was + " in the checkpoint, " + is + " now");
    }
  }
  return differences;
}

}  // namespace plumb
