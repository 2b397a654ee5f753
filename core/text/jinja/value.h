// Values of a template: Python's, as far as chat templates can see them. A Value is small and
// copied freely; what it points to is owned by the Heap of one rendering (or by the template, for
// its constants) and freed with it, so values may refer to each other in circles.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text/jinja/traced_text.h"

namespace plumb::jinja {

struct Sequence;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;
struct Undefined;

enum class Kind : std::uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  sequence,
  dict,
  name_space,
  callable,
  loop,
};

struct Value {
  Kind kind = Kind::none;
  union {
    bool boolean;
    std::int64_t integer = 0;
    double real;
    const TracedText* string;
    Sequence* sequence;
    Dict* dict;
    Namespace* name_space;
    Callable* callable;
    Loop* loop;
    const Undefined* undefined;
  };

  static Value of(bool value) {
    Value v;
    v.kind = Kind::boolean;
    v.boolean = value;
    return v;
  }
  static Value of(std::int64_t value) {
    Value v;
    v.kind = Kind::integer;
    v.integer = value;
    return v;
  }
  static Value of(double value) {
    Value v;
    v.kind = Kind::real;
    v.real = value;
    return v;
  }
  static Value of(const TracedText* value) {
    Value v;
    v.kind = Kind::string;
    v.string = value;
    return v;
  }
  static Value of(Sequence* value) {
    Value v;
    v.kind = Kind::sequence;
    v.sequence = value;
    return v;
  }
  static Value of(Dict* value) {
    Value v;
    v.kind = Kind::dict;
    v.dict = value;
    return v;
  }
  static Value of(Namespace* value) {
    Value v;
    v.kind = Kind::name_space;
    v.name_space = value;
    return v;
  }
  static Value of(Callable* value) {
    Value v;
    v.kind = Kind::callable;
    v.callable = value;
    return v;
  }
  static Value of(Loop* value) {
    Value v;
    v.kind = Kind::loop;
    v.loop = value;
    return v;
  }
  static Value of(const Undefined* value) {
    Value v;
    v.kind = Kind::undefined;
    v.undefined = value;
    return v;
  }

  bool is(Kind k) const { return kind == k; }
  bool is_undefined() const { return kind == Kind::undefined; }
  bool is_string() const { return kind == Kind::string; }
  bool is_integral() const { return kind == Kind::integer || kind == Kind::boolean; }
  bool is_number() const { return is_integral() || kind == Kind::real; }
  std::int64_t to_integer() const { return kind == Kind::boolean ? boolean : integer; }
  double to_real() const { return kind == Kind::real ? real : static_cast<double>(to_integer()); }
  std::string_view view() const { return string->bytes; }  // of a string
};

// What using the value says: "'x' is undefined".
struct Undefined {
  std::string message;
};

enum class SequenceType : std::uint8_t {
  list,
  tuple,
  range,
  keys,
  values,
  items,
  generator,  // what map, select and their like give: read once, without a length
};

struct Sequence {
  SequenceType type = SequenceType::list;
  std::vector<Value> elements;
  std::size_t begin = 0;  // generator: what was read already
  std::string printed;    // range: how it prints
};

// In the order of insertion. Keys are what Python can hash.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

// type(value).__name__
std::string type_name(const Value& value);
bool is_true(const Value& value);

}  // namespace plumb::jinja
