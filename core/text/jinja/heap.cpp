#include "core/text/jinja/heap.h"

namespace plumb::jinja {

namespace {

std::string mib(std::size_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

void Heap::charge(std::size_t bytes) {
  work_ += bytes;
  if (work_ > limits_.max_work_bytes) {
    throw Fault{"the strings and lists made are more than the limit of " +
                mib(limits_.max_work_bytes) + " a rendering"};
  }
}

void Heap::step(std::int64_t count) {
  steps_ += count;
  if (steps_ > limits_.max_steps) {
    throw Fault{"the template does more than the limit of " + std::to_string(limits_.max_steps) +
                " steps a rendering; does a loop not end?"};
  }
}

void Heap::check_size(std::size_t bytes, std::size_t count) const {
  if (bytes == 0 || count <= limits_.max_output_bytes / bytes) return;
  throw Fault{"a text or list would be larger than the limit of " + mib(limits_.max_output_bytes)};
}

void Heap::check_depth(int depth) const {
  if (depth > limits_.max_value_depth) {
    throw Fault{"a value nests deeper than the limit of " +
                std::to_string(limits_.max_value_depth)};
  }
}

Value Heap::text(TextBuilder& builder) {
  check_size(builder.size());
  charge(builder.size() + sizeof(TracedText));
  texts_.push_back(builder.finish());
  return Value::of(&texts_.back());
}

Value Heap::text(std::string_view bytes, Origin origin) {
  TextBuilder builder;
  builder.append(bytes, origin);
  return text(builder);
}

Value Heap::part(const TracedText& whole, std::size_t begin, std::size_t end) {
  if (begin == 0 && end == whole.bytes.size() && !whole.is_markup) return Value::of(&whole);
  TextBuilder builder;
  builder.append(whole, begin, end);
  return text(builder);
}

Value Heap::markup(const Value& string, bool is_markup) {
  charge(string.string->bytes.size() + sizeof(TracedText));
  texts_.push_back(*string.string);
  texts_.back().is_markup = is_markup;
  return Value::of(&texts_.back());
}

Value Heap::sequence(SequenceType type, std::vector<Value> elements) {
  check_size(sizeof(Value), elements.size());
  charge(sizeof(Sequence) + elements.size() * sizeof(Value));
  sequences_.push_back({type, std::move(elements), 0, {}});
  return Value::of(&sequences_.back());
}

Value Heap::dict(std::vector<std::pair<Value, Value>> entries) {
  charge(sizeof(Dict) + 2 * entries.size() * sizeof(Value));
  dicts_.push_back({std::move(entries)});
  return Value::of(&dicts_.back());
}

Value Heap::name_space(std::vector<std::pair<std::string, Value>> attributes) {
  charge(sizeof(Namespace) + 3 * attributes.size() * sizeof(Value));
  namespaces_.push_back({std::move(attributes)});
  return Value::of(&namespaces_.back());
}

Value Heap::undefined(std::string message) {
  charge(sizeof(Undefined) + message.size());
  undefined_.push_back({std::move(message)});
  return Value::of(&undefined_.back());
}

Value Heap::callable(Callable callable) {
  charge(sizeof(Callable));
  callables_.push_back(std::move(callable));
  return Value::of(&callables_.back());
}

Loop* Heap::loop() {
  charge(sizeof(Loop));
  return &loops_.emplace_back();
}

Scope* Heap::scope(Scope* parent) {
  charge(sizeof(Scope));
  scopes_.push_back({parent, {}});
  return &scopes_.back();
}

}  // namespace plumb::jinja
