#include "core/io/json.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

// Says how far the lexer has read: SAX events carry no position of their own.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** reached;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *reached = ++at;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) {
    return a.at == b.at;
  }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) {
    return a.at != b.at;
  }
};

// ordered_json looks through all keys on each insertion, which is quadratic for a vocabulary. Here
// keys are appended to its vector, and duplicates are found by a set once an object is not small.
class Builder {
 public:
  Builder(const char* begin, const char* const* reached, int max_depth)
      : begin_(begin), reached_(reached), max_depth_(max_depth) {}

  Json root;
  std::string problem;     // set when a handler returned false
  std::size_t offset = 0;  // of the problem

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(Json::binary_t&) { return fail("binary value"); }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    Level& level = stack_.back();
    if (!level.insert(name)) {
      return fail("duplicate key '" + name + "': each key may stand once in an object");
    }
    level.pending = std::move(name);
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception& error) {
    std::string what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..."
    const std::size_t cut = what.find(": ");
    if (cut != std::string::npos && what.compare(0, 1, "[") == 0) what.erase(0, cut + 2);
    problem = what;
    offset = position > 0 ? position - 1 : 0;
    return false;
  }

 private:
  struct Level {
    Json* value;
    std::string pending;  // key whose value comes next
    std::unordered_set<std::string> seen;

    bool insert(const std::string& name) {
      constexpr std::size_t kFewKeys = 16;
      const auto& members = value->get_ref<const Json::object_t&>();
      if (members.size() < kFewKeys) {
        return std::none_of(members.begin(), members.end(),
                            [&](const auto& member) { return member.first == name; });
      }
      if (seen.empty()) {
        for (const auto& member : members) seen.insert(member.first);
      }
      return seen.insert(name).second;
    }
  };

  template <class Value>
  Json* place(Value&& value) {
    if (stack_.empty()) {
      root = std::forward<Value>(value);
      return &root;
    }
    Level& level = stack_.back();
    if (level.value->is_array()) {
      auto& elements = level.value->get_ref<Json::array_t&>();
      elements.emplace_back(std::forward<Value>(value));
      return &elements.back();
    }
    using Members = Json::object_t::Container;
    Members& members = level.value->get_ref<Json::object_t&>();
    members.emplace_back(std::move(level.pending), std::forward<Value>(value));
    return &members.back().second;
  }

  template <class Value>
  bool add(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }

  bool open(Json container) {
    if (static_cast<int>(stack_.size()) >= max_depth_) {
      return fail("nested deeper than " + std::to_string(max_depth_) + " levels");
    }
    Json* placed = place(std::move(container));
    stack_.push_back({placed, {}, {}});
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  bool fail(const std::string& message) {
    problem = message;
    const auto read = static_cast<std::size_t>(*reached_ - begin_);
    offset = read > 0 ? read - 1 : 0;
    return false;
  }

  const char* begin_;
  const char* const* reached_;
  int max_depth_;
  std::vector<Level> stack_;
};

[[noreturn]] void fail_at(const std::string& source, std::string_view text, std::size_t offset,
                          const std::string& problem) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  const auto line = 1 + std::count(text.begin(), end, '\n');
  throw Error(source + ": byte " + std::to_string(offset) + " (line " + std::to_string(line) +
              "): not valid JSON: " + problem);
}

void check_bytes(std::string_view text, const std::string& source, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(source + ": " + std::to_string(text.size()) + " bytes of JSON; the limit is " +
                std::to_string(limits.max_bytes));
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    fail_at(source, text, 0, "begins with a byte order mark; save it as UTF-8 without one");
  }
  const std::size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) fail_at(source, text, bad, "not valid UTF-8");
  // nlohmann's lexer takes NUL for the end of input.
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) fail_at(source, text, nul, "NUL byte");
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  check_bytes(text, source, limits);
  const char* reached = text.data();
  Builder builder(text.data(), &reached, limits.max_depth);
  const CountingIterator first{text.data(), &reached};
  const CountingIterator last{text.data() + text.size(), &reached};
  if (!Json::sax_parse(first, last, &builder)) {
    fail_at(source, text, builder.offset, builder.problem);
  }
  return std::move(builder.root);
}

Json read_json(const std::string& path, const JsonLimits& limits) {
  return parse_json(files::read_file(path, limits.max_bytes), path, limits);
}

}  // namespace plumb
