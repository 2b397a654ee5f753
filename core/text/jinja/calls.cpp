// Macros, loops, and what is called.
#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/characters.h"
#include "core/text/jinja/interpreter_guards.h"
#include "core/text/jinja/operators.h"

namespace plumb::jinja {

Value Interpreter::call(const Value& callee, Arguments& arguments) {
  heap_.step();
  if (callee.is_undefined()) throw Fault{callee.undefined->message};
  if (callee.is(Kind::loop)) return call_loop(*callee.loop, arguments);
  if (!callee.is(Kind::callable)) {
    throw Fault{"'" + type_name(callee) + "' object is not callable"};
  }
  Callable& callable = *callee.callable;
  if (callable.macro) return call_macro(callable, arguments);
  return callable.function(*this, callable.self, arguments);
}

Value Interpreter::call_macro(const Callable& callable, Arguments& arguments) {
  const DepthGuard depth(*this);
  const Statement& macro = *callable.macro;
  const ScopeGuard scope(*this, heap_.scope(callable.scope));
  const int line = line_;
  bind_parameters(macro, arguments);
  TextBuilder text;
  run_body(macro.body, text);
  line_ = line;
  return heap_.text(text);
}

namespace {

std::optional<Value> take_named(Arguments& arguments, std::string_view name) {
  auto& named = arguments.named;
  const auto found = std::find_if(named.begin(), named.end(),
                                  [&](const auto& pair) { return pair.first == name; });
  if (found == named.end()) return std::nullopt;
  const Value value = found->second;
  named.erase(found);
  return value;
}

Value dict_of(Heap& heap, const Arguments& arguments) {
  const Value dict = heap.dict();
  for (const auto& [name, value] : arguments.named) {
    set_item(heap, *dict.dict, heap.text(name), value);
  }
  return dict;
}

}  // namespace

// In the macro's own scope, so that a default may use the parameters before it.
void Interpreter::bind_parameters(const Statement& macro, Arguments& arguments) {
  const std::string name = macro.symbol ? *macro.symbol : "None";
  const std::size_t count = macro.parameters.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Parameter& parameter = macro.parameters[i];
    std::optional<Value> value;
    if (i < arguments.values.size()) {
      value = arguments.values[i];
    } else {
      value = take_named(arguments, *parameter.symbol);
    }
    if (!value && parameter.fallback) value = evaluate(*parameter.fallback);
    if (!value) {
      value = heap_.undefined("parameter '" + *parameter.symbol + "' was not provided");
    }
    scope_->set(parameter.symbol, *value);
  }
  const auto symbol = [this](const char* text) { return &*source_.symbols.find(text); };
  if (macro.uses_caller) {
    const auto caller = take_named(arguments, "caller");
    scope_->set(symbol("caller"), caller ? *caller : heap_.undefined("No caller defined"));
  }
  if (macro.uses_named) {
    scope_->set(symbol("kwargs"), dict_of(heap_, arguments));
  } else if (!arguments.named.empty()) {
    const std::string first(arguments.named.front().first);
    throw Fault{first == "caller"
                    ? "macro '" + name +
                          "' was invoked with two values for the special caller argument. This is "
                          "most likely a bug."
                    : "macro '" + name + "' takes no keyword argument '" + first + "'"};
  }
  std::vector<Value> rest;
  if (arguments.values.size() > count) {
    rest.assign(arguments.values.begin() + static_cast<std::ptrdiff_t>(count),
                arguments.values.end());
  }
  if (macro.uses_values) {
    scope_->set(symbol("varargs"), heap_.tuple(std::move(rest)));
  } else if (!rest.empty()) {
    throw Fault{"macro '" + name + "' takes not more than " + std::to_string(count) +
                " argument(s)"};
  }
}

std::vector<Value> Interpreter::elements(const Value& iterable) {
  std::vector<Value> out;
  switch (iterable.kind) {
    case Kind::undefined:
      return out;
    case Kind::sequence: {
      Sequence& sequence = *iterable.sequence;
      out.assign(sequence.elements.begin() + static_cast<std::ptrdiff_t>(sequence.begin),
                 sequence.elements.end());
      if (sequence.type == SequenceType::generator) sequence.begin = sequence.elements.size();
      break;
    }
    case Kind::dict:
      for (const auto& entry : iterable.dict->entries) out.push_back(entry.first);
      break;
    case Kind::string: {
      const TracedText& text = *iterable.string;
      heap_.check_size(sizeof(Value), text.bytes.size());
      heap_.charge(text.bytes.size() * (sizeof(Value) + sizeof(TracedText)));
      for (std::size_t at = 0; at < text.bytes.size();) {
        const std::size_t size = char_bytes(text.bytes, at);
        out.push_back(heap_.part(text, at, at + size));
        at += size;
      }
      break;
    }
    default:
      throw Fault{"'" + type_name(iterable) + "' object is not iterable"};
  }
  heap_.charge(out.size() * sizeof(Value));
  return out;
}

std::optional<Value> Interpreter::next_element(LoopSource& source) {
  while (source.next < source.elements.size()) {
    const Value element = source.elements[source.next++];
    if (!source.filter) return element;
    const ScopeGuard scope(*this, heap_.scope(source.scope));
    assign(*source.filter->targets.front(), element);
    if (is_true(evaluate(*source.filter->filter))) return element;
  }
  return std::nullopt;
}

const std::optional<Value>& Interpreter::peek(Loop& loop) {
  if (!loop.after) loop.after = next_element(loop.source);
  return loop.after;
}

std::int64_t Interpreter::loop_length(Loop& loop) {
  if (loop.length) return *loop.length;
  std::vector<Value> rest;
  while (const auto element = next_element(loop.source)) rest.push_back(*element);
  loop.length = static_cast<std::int64_t>(rest.size()) + loop.index0 + 1 + (loop.after ? 1 : 0);
  loop.source = {std::move(rest), 0, nullptr, nullptr};
  return *loop.length;
}

void Interpreter::run_for(const Statement& statement, TextBuilder& out) {
  Loop& loop = *heap_.loop();
  loop.source = {elements(evaluate(*statement.values.front())), 0,
                 statement.filter ? &statement : nullptr, scope_};
  loop.recursive = statement.is_recursive ? &statement : nullptr;
  loop.outer = scope_;
  loop_over(loop, statement, out);
}

void Interpreter::loop_over(Loop& loop, const Statement& statement, TextBuilder& out) {
  const auto loop_symbol = source_.symbols.find("loop");
  Flow flow = Flow::go_on;
  bool ran_through = false;  // in jinja2, break and continue leave it as it was
  while (flow != Flow::leave) {
    const std::optional<Value> element = loop.after ? loop.after : next_element(loop.source);
    if (!element) break;
    heap_.step();
    loop.after.reset();
    ++loop.index0;
    loop.before = loop.current;
    loop.current = element;
    const ScopeGuard scope(*this, heap_.scope(loop.outer));
    if (loop_symbol != source_.symbols.end()) scope_->set(&*loop_symbol, Value::of(&loop));
    assign(*statement.targets.front(), *element);
    flow = run_body(statement.body, out);
    ran_through |= flow == Flow::go_on;
  }
  if (ran_through) return;
  const ScopeGuard scope(*this, heap_.scope(loop.outer));
  run_body(statement.otherwise, out);
}

Value Interpreter::call_loop(Loop& loop, Arguments& arguments) {
  if (!loop.recursive) {
    throw Fault{"The loop must have the 'recursive' marker to be called recursively."};
  }
  const DepthGuard depth(*this);
  const Bound bound("loop", arguments, {"iterable"}, 1);
  Loop& inner = *heap_.loop();
  inner.source = {elements(bound.at(0)), 0, loop.recursive->filter ? loop.recursive : nullptr,
                  loop.outer};
  inner.recursive = loop.recursive;
  inner.outer = loop.outer;
  inner.depth0 = loop.depth0 + 1;
  const int line = line_;
  TextBuilder text;
  loop_over(inner, *loop.recursive, text);
  line_ = line;
  return heap_.text(text);
}

}  // namespace plumb::jinja
