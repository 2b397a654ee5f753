#include "core/text/jinja/template.h"

#include <cmath>
#include <ctime>

namespace plumb::jinja {

namespace {

Value from_json(Heap& heap, const Json& json, Origin origin);

Value list_from_json(Heap& heap, const Json& json, Origin origin) {
  std::vector<Value> elements;
  for (const Json& value : json) elements.push_back(from_json(heap, value, origin));
  return heap.list(std::move(elements));
}

Value dict_from_json(Heap& heap, const Json& json, Origin origin) {
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, value] : json.items()) {
    entries.emplace_back(heap.text(key, origin), from_json(heap, value, origin));
  }
  return heap.dict(std::move(entries));
}

Value from_json(Heap& heap, const Json& json, Origin origin) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::of(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::of(json.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > INT64_MAX) {
        throw Fault{"the number " + json.dump() + " in its input does not fit 64 bits"};
      }
      return Value::of(json.get<std::int64_t>());
    case Json::value_t::number_float:
      return Value::of(json.get<double>());
    case Json::value_t::string:
      return heap.text(json.get_ref<const std::string&>(), origin);
    case Json::value_t::array:
      return list_from_json(heap, json, origin);
    case Json::value_t::object:
      return dict_from_json(heap, json, origin);
    default:
      return {};
  }
}

// The elements of a counted list: each its own origin.
Value counted_from_json(Heap& heap, const Variable& variable) {
  std::vector<Value> elements;
  for (const Json& element : *variable.value) {
    if (elements.size() == variable.max_elements) break;
    const auto own = static_cast<Origin>(elements.size() + 1);
    if (!element.is_object()) {
      elements.push_back(from_json(heap, element, own));
      continue;
    }
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [key, value] : element.items()) {
      const bool is_trusted = variable.is_trusted && variable.is_trusted(key, value);
      entries.emplace_back(heap.text(key, own),
                           from_json(heap, value, is_trusted ? kTemplate : own));
    }
    elements.push_back(heap.dict(std::move(entries)));
  }
  return heap.list(std::move(elements));
}

}  // namespace

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm out{};
  localtime_r(&now, &out);
  return out;
}

Template Template::parse(std::string_view text, const std::string& name, const Limits& limits) {
  return Template(parse_template(text, name, limits), limits);
}

Rendering Template::render(const std::vector<Variable>& variables, const Clock& clock) const {
  Interpreter interpreter(*source_, limits_, clock);
  try {
    for (const Variable& variable : variables) {
      Heap& heap = interpreter.heap();
      const Value value = variable.counts_elements
                              ? counted_from_json(heap, variable)
                              : from_json(heap, *variable.value, variable.origin);
      interpreter.set_variable(variable.name, value);
    }
  } catch (const Fault& fault) {
    throw TemplateError(source_->name, 1, fault.message);
  }
  Rendering out;
  out.text = interpreter.run(&out.generated);
  return out;
}

Rendering Template::render(const std::vector<Variable>& variables) const {
  return render(variables, local_time);
}

bool Template::mentions(std::string_view name) const {
  return source_->symbols.contains(std::string(name));
}

}  // namespace plumb::jinja
