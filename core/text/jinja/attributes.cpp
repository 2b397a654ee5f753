// What `object.name` and `object[key]` are, as the sandbox of jinja2 allows them.
#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/characters.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

namespace {

constexpr std::array<std::string_view, 8> kListMutators = {"append", "clear", "pop",    "reverse",
                                                           "insert", "sort",  "extend", "remove"};
constexpr std::array<std::string_view, 5> kDictMutators = {"clear", "pop", "popitem", "setdefault",
                                                           "update"};

// Names that every Python object has; reaching for one is what the sandbox is there to stop.
constexpr std::array<std::string_view, 24> kObjectNames = {
    "__class__",   "__delattr__", "__dir__",           "__doc__",         "__eq__",
    "__format__",  "__ge__",      "__getattribute__",  "__getstate__",    "__gt__",
    "__hash__",    "__init__",    "__init_subclass__", "__le__",          "__lt__",
    "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",   "__repr__",
    "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__"};
constexpr std::array<std::string_view, 8> kContainerNames = {
    "__len__", "__getitem__", "__iter__", "__contains__",
    "__add__", "__mul__",     "__call__", "__globals__"};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string object_name(const Value& object) {
  switch (object.kind) {
    case Kind::none:
      return "None";
    case Kind::name_space:
      return "transformers.utils.chat_template_utils.TemplateNamespace object";
    case Kind::loop:
      return "jinja2.runtime.LoopContext object";
    case Kind::callable:
      return (object.callable->macro ? "jinja2.runtime." : "") + type_name(object) + " object";
    default:
      return (object.is_string() && object.string->is_markup ? "markupsafe." : "") +
             type_name(object) + " object";
  }
}

Value missing(Heap& heap, const Value& object, const Value& key) {
  if (key.is_string()) {
    return heap.undefined("'" + object_name(object) + "' has no attribute '" +
                          std::string(key.view()) + "'");
  }
  TextBuilder text;
  print_repr(heap, key, text);
  return heap.undefined(object_name(object) + " has no element " + std::string(text.view()));
}

Value unsafe(Heap& heap, const Value& object, std::string_view name) {
  return heap.undefined("access to attribute '" + std::string(name) + "' of '" + type_name(object) +
                        "' object is unsafe.");
}

std::optional<Value> loop_attribute(Interpreter& interpreter, Loop& loop, std::string_view name);

std::optional<Value> bound(Heap& heap, const Value& object, std::string_view name,
                           Function function) {
  if (!function) return std::nullopt;
  return heap.callable({.name = std::string(name),
                        .function = function,
                        .macro = nullptr,
                        .scope = nullptr,
                        .self = object,
                        .state = 0,
                        .type = "builtin_function_or_method"});
}

// getattr(object, name) where Python has such an attribute.
std::optional<Value> python_attribute(Interpreter& interpreter, const Value& object,
                                      std::string_view name) {
  Heap& heap = interpreter.heap();
  switch (object.kind) {
    case Kind::string:
      return bound(heap, object, name, find_text_method(name));
    case Kind::dict:
      return bound(heap, object, name, find_dict_method(name));
    case Kind::sequence: {
      const SequenceType type = object.sequence->type;
      const bool has_methods = type == SequenceType::list || type == SequenceType::tuple;
      if (!has_methods) return std::nullopt;
      if (name == "copy" && type == SequenceType::tuple) return std::nullopt;
      return bound(heap, object, name, find_sequence_method(name));
    }
    case Kind::name_space:
      for (const auto& [known, value] : object.name_space->attributes) {
        if (known == name) return value;
      }
      return std::nullopt;
    case Kind::loop:
      return loop_attribute(interpreter, *object.loop, name);
    case Kind::callable:
      if (object.callable->macro && name == "name") return heap.text(object.callable->name);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// Attributes that Python has and the sandbox keeps from templates.
bool is_unsafe(const Value& object, std::string_view name) {
  if (object.is(Kind::name_space)) return name == "__class__";
  if (is_among(kObjectNames, name)) return true;
  const bool is_container =
      object.is(Kind::dict) || object.is(Kind::sequence) || object.is_string();
  if (is_among(kContainerNames, name)) return is_container || object.is(Kind::callable);
  if (object.is(Kind::dict)) return is_among(kDictMutators, name);
  return object.is(Kind::sequence) && object.sequence->type == SequenceType::list &&
         is_among(kListMutators, name);
}

std::optional<Value> loop_attribute(Interpreter& interpreter, Loop& loop, std::string_view name) {
  Heap& heap = interpreter.heap();
  if (name == "index") return Value::of(loop.index0 + 1);
  if (name == "index0") return Value::of(loop.index0);
  if (name == "first") return Value::of(loop.index0 == 0);
  if (name == "last") return Value::of(!interpreter.peek(loop).has_value());
  if (name == "length") return Value::of(interpreter.loop_length(loop));
  if (name == "revindex") return Value::of(interpreter.loop_length(loop) - loop.index0);
  if (name == "revindex0") return Value::of(interpreter.loop_length(loop) - loop.index0 - 1);
  if (name == "depth") return Value::of(loop.depth0 + 1);
  if (name == "depth0") return Value::of(loop.depth0);
  if (name == "previtem") {
    return loop.before ? *loop.before : heap.undefined("there is no previous item");
  }
  if (name == "nextitem") {
    const std::optional<Value>& after = interpreter.peek(loop);
    return after ? *after : heap.undefined("there is no next item");
  }
  const auto method = [&](Function function) {
    return bound(heap, Value::of(&loop), name, function);
  };
  if (name == "cycle") {
    return method([](Interpreter&, const Value& self, Arguments& arguments) {
      if (arguments.values.empty()) throw Fault{"no items for cycling given"};
      const auto count = static_cast<std::int64_t>(arguments.values.size());
      return arguments.values[static_cast<std::size_t>(self.loop->index0 % count)];
    });
  }
  if (name != "changed") return std::nullopt;
  return method([](Interpreter& inner, const Value& self, Arguments& arguments) {
    auto& last = self.loop->last_changed;
    const bool is_same =
        last && last->size() == arguments.values.size() &&
        std::equal(last->begin(), last->end(), arguments.values.begin(),
                   [&](const Value& a, const Value& b) { return equal(inner.heap(), a, b); });
    last = arguments.values;
    return Value::of(!is_same);
  });
}

// object[key] where Python finds something.
std::optional<Value> python_item(Heap& heap, const Value& object, const Value& key) {
  if (object.is(Kind::dict)) {
    const bool is_list = key.is(Kind::sequence) && key.sequence->type == SequenceType::list;
    if (key.is(Kind::dict) || is_list) return std::nullopt;
    const Value* found = find_item(heap, *object.dict, key);
    return found ? std::optional(*found) : std::nullopt;
  }
  if (!key.is_integral()) return std::nullopt;
  const std::optional<std::int64_t> length = length_of(object);
  const bool has_items = object.is_string() || (object.is(Kind::sequence) &&
                                                (object.sequence->type == SequenceType::list ||
                                                 object.sequence->type == SequenceType::tuple ||
                                                 object.sequence->type == SequenceType::range));
  if (!has_items || !length) return std::nullopt;
  std::int64_t index = key.to_integer();
  if (index < 0) index += *length;
  if (index < 0 || index >= *length) return std::nullopt;
  if (!object.is_string()) return object.sequence->elements[static_cast<std::size_t>(index)];
  const TracedText& text = *object.string;
  heap.charge(text.is_ascii() ? 1 : text.bytes.size());
  const std::size_t begin = byte_of_char(text.bytes, index, text.is_ascii());
  return heap.part(text, begin, begin + char_bytes(text.bytes, begin));
}

}  // namespace

Value Interpreter::attribute(const Value& object, std::string_view name) {
  if (object.is_undefined() && !is_unsafe(object, name)) throw Fault{object.undefined->message};
  if (is_unsafe(object, name)) return unsafe(heap_, object, name);
  if (const auto value = python_attribute(*this, object, name)) return *value;
  const Value key = heap_.text(name);
  if (const auto value = python_item(heap_, object, key)) return *value;
  return missing(heap_, object, key);
}

Value Interpreter::item(const Value& object, const Value& key) {
  if (object.is_undefined()) throw Fault{object.undefined->message};
  if (const auto value = python_item(heap_, object, key)) return *value;
  if (key.is_string()) {
    if (is_unsafe(object, key.view())) return unsafe(heap_, object, key.view());
    if (const auto value = python_attribute(*this, object, key.view())) return *value;
  }
  return missing(heap_, object, key);
}

}  // namespace plumb::jinja
