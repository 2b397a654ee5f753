#include "core/io/field_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/io/nearest_key.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

std::string shown(const YamlNode& value) {
  if (value.kind == YamlNode::Kind::list) return "a list";
  if (value.kind == YamlNode::Kind::map) return "a map";
  if (value.is_null()) return "nothing";
  constexpr std::size_t kLongestShown = 60;
  const bool is_long = value.text.size() > kLongestShown;
  const std::string text = is_long ? value.text.substr(0, kLongestShown) + "..." : value.text;
  return value.is_quoted ? "the string \"" + text + "\"" : "'" + text + "'";
}

std::string format_double(double value) {
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  if (std::isnan(value)) return ".nan";
  std::array<char, 32> buffer;
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), written.ptr);
  const bool looks_whole = text.find_first_of(".e") == std::string::npos;
  return looks_whole ? text + ".0" : text;
}

std::string rule_number(double value) {
  std::string text = format_double(value);
  const bool ends_in_zero = text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0;
  return ends_in_zero ? text.substr(0, text.size() - 2) : text;
}

// ---- YAML to a C++ value; each reads one scalar or fails ----

bool is_plain_scalar(const YamlNode& value) {
  return value.kind == YamlNode::Kind::scalar && !value.is_quoted && !value.is_null();
}

std::string_view without_plus(std::string_view text) {
  const bool has_plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  return has_plus ? text.substr(1) : text;
}

bool parse(const YamlNode& value, const FieldPlace& place, bool) {
  if (is_plain_scalar(value) && reads_as_bool(value.text))
    return value.text[0] == 't' || value.text[0] == 'T';
  place.fail("must be true or false, not " + shown(value));
}

std::int64_t parse(const YamlNode& value, const FieldPlace& place, std::int64_t) {
  std::int64_t number = 0;
  std::errc error = std::errc::invalid_argument;
  if (is_plain_scalar(value)) {
    const std::string_view text = without_plus(value.text);
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    error = read.ptr == end ? read.ec : std::errc::invalid_argument;
  }
  if (error == std::errc::result_out_of_range) {
    place.fail("must fit in 64 bits, not " + shown(value));
  }
  if (error != std::errc{}) {
    place.fail("must be a whole number written in digits, not " + shown(value));
  }
  return number;
}

double parse(const YamlNode& value, const FieldPlace& place, double) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!is_plain_scalar(value)) place.fail("must be a number, not " + shown(value));
  const std::string_view text = without_plus(value.text);
  if (text == ".inf") return kInfinity;
  if (text == "-.inf") return -kInfinity;
  double number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc::result_out_of_range) {
    place.fail("must be a number that a double holds, not " + shown(value));
  }
  // from_chars also takes the words inf and nan.
  const bool is_word = text.find_first_of("nN") != std::string_view::npos;
  if (read.ec != std::errc{} || read.ptr != end || is_word) {
    place.fail("must be a number, not " + shown(value));
  }
  return number;
}

std::string parse(const YamlNode& value, const FieldPlace& place, const std::string&) {
  if (value.kind != YamlNode::Kind::scalar) place.fail("must be a string, not " + shown(value));
  if (value.is_null()) place.fail("has no value; write \"\" if an empty string is meant");
  return value.text;
}

template <class T>
std::optional<T> parse(const YamlNode& value, const FieldPlace& place, const std::optional<T>&) {
  if (value.is_null()) return std::nullopt;
  return parse(value, place, T{});
}

template <class T>
std::vector<T> parse(const YamlNode& value, const FieldPlace& place, const std::vector<T>&) {
  if (value.kind != YamlNode::Kind::list) {
    place.fail("must be a list such as [a, b], not " + shown(value));
  }
  std::vector<T> items;
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    const FieldPlace item{place.source, place.key + "[" + std::to_string(i) + "]"};
    items.push_back(parse(value.items[i], item, T{}));
  }
  return items;
}

// ---- rules ----

void check(double number, const std::string& text, const Rule& rule, const FieldPlace& place) {
  const bool too_low =
      rule.exclusive_minimum ? !(number > rule.minimum) : !(number >= rule.minimum);
  if (too_low || !(number <= rule.maximum)) {
    place.fail("must be " + describe_rule(rule) + ", not " + text);
  }
}
void check(double number, const Rule& rule, const FieldPlace& place) {
  check(number, rule_number(number), rule, place);
}
void check(std::int64_t number, const Rule& rule, const FieldPlace& place) {
  check(static_cast<double>(number), std::to_string(number), rule, place);
}
void check(bool, const Rule&, const FieldPlace&) {}

void check(const std::string& text, const Rule& rule, const FieldPlace& place) {
  if (rule.one_of.empty()) return;
  if (std::find(rule.one_of.begin(), rule.one_of.end(), text) != rule.one_of.end()) return;
  std::string problem = "must be " + describe_rule(rule) + "; not '" + text + "'";
  if (const auto near = nearest_key(text, rule.one_of))
    problem += " (did you mean '" + *near + "'?)";
  place.fail(problem);
}

template <class T>
void check(const std::optional<T>& value, const Rule& rule, const FieldPlace& place) {
  if (value) check(*value, rule, place);
}

template <class T>
void check(const std::vector<T>& values, const Rule& rule, const FieldPlace& place) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    check(values[i], rule, {place.source, place.key + "[" + std::to_string(i) + "]"});
  }
}

// ---- a C++ value to YAML ----

std::string format(bool value) {
  return value ? "true" : "false";
}
std::string format(std::int64_t value) {
  return std::to_string(value);
}
std::string format(double value) {
  return format_double(value);
}
std::string format(const std::string& value) {
  return quote_if_needed(value);
}
template <class T>
std::string format(const std::optional<T>& value) {
  return value ? format(*value) : "null";
}
template <class T>
std::string format(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += (i == 0 ? "" : ", ") + format(values[i]);
  }
  return text + "]";
}

bool is_empty(bool) {
  return false;
}
bool is_empty(std::int64_t) {
  return false;
}
bool is_empty(double) {
  return false;
}
bool is_empty(const std::string& value) {
  return value.empty();
}
template <class T>
bool is_empty(const std::optional<T>& value) {
  return !value || is_empty(*value);
}
template <class T>
bool is_empty(const std::vector<T>& values) {
  return values.empty();
}

std::string quoted(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

void FieldPlace::fail(const std::string& problem) const {
  throw Error(source + ": " + key + " " + problem, Exit::usage);
}

void assign_field(const YamlNode& value, const Rule& rule, const FieldTarget& target,
                  const FieldPlace& place) {
  std::visit(
      [&](auto* member) {
        auto read = parse(value, place, *member);
        if (read != *member) check(read, rule, place);
        *member = std::move(read);
      },
      target);
}

std::string format_value(const FieldTarget& target) {
  return std::visit([](const auto* member) { return format(*member); }, target);
}

bool is_empty_value(const FieldTarget& target) {
  return std::visit([](const auto* member) { return is_empty(*member); }, target);
}

std::string quote_if_needed(const std::string& text) {
  constexpr std::string_view kSafe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+";
  constexpr std::string_view kSafeFirst = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/";
  const bool is_safe = !text.empty() && kSafeFirst.find(text[0]) != std::string_view::npos &&
                       text.find_first_not_of(kSafe) == std::string::npos;
  const bool is_word = is_safe && !reads_as_null(text) && !reads_as_bool(text);
  // A path that begins with a dot is plain too, but .5 and .inf are numbers.
  const bool is_relative_path = text.compare(0, 2, "./") == 0 || text.compare(0, 3, "../") == 0;
  const bool is_path = is_relative_path && text.find_first_not_of(kSafe) == std::string::npos;
  return is_word || is_path ? text : quoted(text);
}

std::string describe_rule(const Rule& rule) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  const bool has_minimum = std::isfinite(rule.minimum);
  const bool has_maximum = std::isfinite(rule.maximum);
  if (has_minimum && has_maximum && !rule.exclusive_minimum) {
    add(rule_number(rule.minimum) + " to " + rule_number(rule.maximum));
  } else {
    if (has_minimum)
      add((rule.exclusive_minimum ? "above " : "at least ") + rule_number(rule.minimum));
    if (has_maximum) add("at most " + rule_number(rule.maximum));
  }
  if (!rule.one_of.empty()) {
    std::string words;
    for (const std::string& word : rule.one_of) words += (words.empty() ? "" : ", ") + word;
    add("one of " + words);
  }
  if (rule.required) add("required");
  return text;
}

}  // namespace plumb
