#include "recipes/cli/stage_recipe.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/nearest_key.h"

namespace plumb {
namespace {

const std::vector<std::string> kJobs = {"pretrain", "sft", "reward", "ppo", "export", "make"};

std::string at(const std::string& source, int line) {
  return source + ":" + std::to_string(line) + ": ";
}

[[noreturn]] void refuse(const std::string& source, int line, const std::string& problem) {
  throw Error(at(source, line) + problem, Exit::usage);
}

void check_keys(const YamlNode& map, const std::vector<std::string>& known,
                const std::string& source) {
  if (map.kind != YamlNode::Kind::map) refuse(source, map.line, "must be a map");
  for (size_t i = 0; i < map.keys.size(); ++i) {
    if (std::find(known.begin(), known.end(), map.keys[i]) != known.end()) continue;
    const auto near = nearest_key(map.keys[i], known);
    refuse(source, map.key_lines[i],
           "unknown key '" + map.keys[i] + "'" + (near ? "; did you mean '" + *near + "'?" : ""));
  }
}

const YamlNode* find(const YamlNode& map, const std::string& key) {
  for (size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i] == key) return &map.items[i];
  }
  return nullptr;
}

std::string text_of(const YamlNode& map, const std::string& key, const std::string& source) {
  const auto* node = find(map, key);
  if (node == nullptr) refuse(source, map.line, "'" + key + "' is missing");
  if (node->kind != YamlNode::Kind::scalar || node->text.empty())
    refuse(source, node->line, key + ": must be a word");
  return node->text;
}

Stage read_stage(const YamlNode& node, const std::string& source) {
  check_keys(node, {"name", "job", "recipe"}, source);
  Stage stage{text_of(node, "name", source), text_of(node, "job", source), source, {}};
  if (std::find(kJobs.begin(), kJobs.end(), stage.job) == kJobs.end()) {
    std::string names;
    for (const auto& job : kJobs) names += " " + job;
    refuse(source, node.line, "job: '" + stage.job + "' is none of" + names);
  }
  const bool is_plain = std::all_of(stage.name.begin(), stage.name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
  if (!is_plain)
    refuse(source, node.line, "name: '" + stage.name + "' may hold letters, digits, - and _ alone");
  if (const auto* recipe = find(node, "recipe")) stage.recipe = *recipe;
  stage.recipe.kind = YamlNode::Kind::map;
  return stage;
}

std::string replaced(const std::string& text, const std::map<std::string, std::string>& values,
                     const std::string& place) {
  std::string result;
  std::size_t from = 0;
  for (std::size_t open; (open = text.find("${", from)) != std::string::npos;) {
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos)
      throw Error(place + "'${' without '}' in '" + text + "'", Exit::usage);
    const std::string name = text.substr(open + 2, close - open - 2);
    const auto value = values.find(name);
    if (value == values.end()) {
      std::vector<std::string> known;
      for (const auto& [key, unused] : values) known.push_back(key);
      const auto near = nearest_key(name, known);
      throw Error(place + "${" + name + "} names neither a parameter nor an earlier stage" +
                      (near ? "; did you mean ${" + *near + "}?" : ""),
                  Exit::usage);
    }
    result += text.substr(from, open - from) + value->second;
    from = close + 1;
  }
  return result + text.substr(from);
}

}  // namespace

StageRecipe read_stage_recipe(const std::string& path) {
  const YamlNode root = parse_yaml(files::read_file(path), path);
  check_keys(root, {"title", "out", "parameters", "stages"}, path);
  StageRecipe recipe;
  if (find(root, "title")) recipe.title = text_of(root, "title", path);
  if (find(root, "out")) recipe.out = text_of(root, "out", path);
  if (const auto* parameters = find(root, "parameters")) {
    check_keys(*parameters, parameters->keys, path);
    for (size_t i = 0; i < parameters->keys.size(); ++i)
      recipe.parameters[parameters->keys[i]] = parameters->items[i].text;
  }
  const auto* stages = find(root, "stages");
  if (stages == nullptr || stages->kind != YamlNode::Kind::list || stages->items.empty()) {
    throw Error(path + ": needs a list 'stages'", Exit::usage);
  }
  std::set<std::string> names;
  for (const auto& node : stages->items) {
    recipe.stages.push_back(read_stage(node, path));
    if (!names.insert(recipe.stages.back().name).second)
      refuse(path, node.line, "two stages have this name");
  }
  return recipe;
}

void substitute(YamlNode& node, const std::map<std::string, std::string>& values,
                const std::string& source) {
  if (node.kind == YamlNode::Kind::scalar)
    node.text = replaced(node.text, values, at(source, node.line));
  for (auto& item : node.items) substitute(item, values, source);
}

std::map<std::string, std::string> values_of(const StageRecipe& recipe, const std::string& out) {
  auto values = recipe.parameters;
  for (const auto& stage : recipe.stages) {
    const std::string folder = out + "/" + stage.name;
    values[stage.name + ".out"] = folder;
    values[stage.name + ".model"] = folder + "/model";
    values[stage.name + ".adapter"] = folder + "/adapter";
  }
  return values;
}

}  // namespace plumb
