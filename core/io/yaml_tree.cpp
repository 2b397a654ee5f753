#include "core/io/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "core/error.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

std::string place(const std::string& source, int line) {
  return source + ":" + std::to_string(line) + ": ";
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& source, int max_depth) : source_(source), max_depth_(max_depth) {}

  YamlNode root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(mark, "a second document ('---'): a recipe is one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(scalar(mark, "", false));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "an alias ('*name'): write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    // yaml-cpp tags plain scalars "?" and quoted ones "!".
    if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(mark, tag);
    // Escapes can make what the text itself may not hold: "\0", and in yaml-cpp "\N" and "\_".
    if (std::min(find_invalid_utf8(value), value.find('\0')) != std::string::npos) {
      fail(mark, "a string with an escape that is no character of UTF-8 text");
    }
    add(scalar(mark, value, tag == "!"));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    YamlNode node;
    bool key_is_next = true;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw Error(place(source_, mark.line + 1) + what, Exit::usage);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(mark, "an anchor ('&name'): write the value out where it is used");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    fail(mark, "a tag ('" + tag + "'): a field's type is known, leave the tag out");
  }

  static YamlNode scalar(const YAML::Mark& mark, const std::string& text, bool is_quoted) {
    YamlNode node;
    node.line = mark.line + 1;
    node.text = text;
    node.is_quoted = is_quoted;
    return node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    if (!tag.empty() && tag != "?" && tag != "!") refuse_tag(mark, tag);
    if (static_cast<int>(stack_.size()) >= max_depth_) {
      fail(mark, "nested deeper than " + std::to_string(max_depth_) + " levels");
    }
    refuse_key_that_is_no_scalar(mark.line + 1);
    Level level;
    level.node.kind = kind;
    level.node.line = mark.line + 1;
    stack_.push_back(std::move(level));
  }

  void close() {
    YamlNode done = std::move(stack_.back().node);
    stack_.pop_back();
    add(std::move(done));
  }

  void refuse_key_that_is_no_scalar(int line) const {
    if (stack_.empty()) return;
    const Level& level = stack_.back();
    if (level.node.kind == YamlNode::Kind::map && level.key_is_next) {
      throw Error(place(source_, line) + "a list or map as a key: a key is one word", Exit::usage);
    }
  }

  void add(YamlNode node) {
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Level& level = stack_.back();
    if (level.node.kind == YamlNode::Kind::map && level.key_is_next) {
      add_key(level.node, node);
      level.key_is_next = false;
      return;
    }
    level.key_is_next = true;
    level.node.items.push_back(std::move(node));
  }

  void add_key(YamlNode& map, const YamlNode& key) const {
    if (key.text == "<<" && !key.is_quoted) {
      throw Error(place(source_, key.line) + "a merge key ('<<'): write the values out",
                  Exit::usage);
    }
    const auto found = std::find(map.keys.begin(), map.keys.end(), key.text);
    if (found != map.keys.end()) {
      const int first = map.key_lines[static_cast<std::size_t>(found - map.keys.begin())];
      throw Error(place(source_, key.line) + "'" + key.text + "' is given twice, first on line " +
                      std::to_string(first) + ": keep one",
                  Exit::usage);
    }
    map.keys.push_back(key.text);
    map.key_lines.push_back(key.line);
  }

  const std::string& source_;
  int max_depth_;
  int documents_ = 0;
  std::vector<Level> stack_;
};

int line_of(const std::string& text, std::size_t offset) {
  return 1 + static_cast<int>(std::count(text.begin(),
                                         text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

void check_bytes(const std::string& text, const std::string& source, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(source + ": " + std::to_string(text.size()) + " bytes; a recipe has at most " +
                    std::to_string(limits.max_bytes),
                Exit::usage);
  }
  const std::size_t bad = std::min(find_invalid_utf8(text), text.find('\0'));
  if (bad != std::string::npos) {
    throw Error(
        place(source, line_of(text, bad)) + "not UTF-8 text (byte " + std::to_string(bad) + ")",
        Exit::usage);
  }
}

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

bool reads_as_null(std::string_view text) {
  constexpr std::array<std::string_view, 5> kWords = {"", "~", "null", "Null", "NULL"};
  return is_one_of(text, kWords);
}

bool reads_as_bool(std::string_view text) {
  constexpr std::array<std::string_view, 6> kWords = {"true",  "True",  "TRUE",
                                                      "false", "False", "FALSE"};
  return is_one_of(text, kWords);
}

bool YamlNode::is_null() const {
  return kind == Kind::scalar && !is_quoted && reads_as_null(text);
}

YamlNode parse_yaml(const std::string& text, const std::string& source, const YamlLimits& limits) {
  check_bytes(text, source, limits);
  TreeBuilder builder(source, limits.max_depth);
  builder.root.kind = YamlNode::Kind::map;
  builder.root.line = 1;
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw Error(place(source, error.mark.line + 1) + "not valid YAML: " + error.msg, Exit::usage);
  }
  return std::move(builder.root);
}

}  // namespace plumb
