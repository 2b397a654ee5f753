#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/interpreter_guards.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

Value Interpreter::evaluate(const Expression& expression) {
  const StackGuard guard(*this);
  const int line = line_;
  line_ = expression.line;
  const Value value = evaluate_known(expression);
  line_ = line;
  return value;
}

Value Interpreter::evaluate_known(const Expression& e) {
  switch (e.kind) {
    case ExpressionKind::constant:
      return e.constant;
    case ExpressionKind::name:
      return look_up(e.symbol);
    case ExpressionKind::attribute:
      return attribute(evaluate(*e.parts[0]), *e.symbol);
    case ExpressionKind::list:
      return heap_.list(evaluate_parts(e));
    case ExpressionKind::tuple:
      return heap_.tuple(evaluate_parts(e));
    case ExpressionKind::dict:
      return evaluate_dict(e);
    case ExpressionKind::item: {
      const Value object = evaluate(*e.parts[0]);
      return item(object, evaluate(*e.parts[1]));
    }
    case ExpressionKind::slice:
      return evaluate_slice(e);
    case ExpressionKind::call:
      return evaluate_call(e, nullptr);
    case ExpressionKind::filter:
      return evaluate_filter(e, nullptr);
    case ExpressionKind::test:
      return evaluate_test(e);
    case ExpressionKind::unary:
      return apply_unary(e.operators[0], evaluate(*e.parts[0]));
    case ExpressionKind::binary: {
      const Value left = evaluate(*e.parts[0]);
      return apply_binary(*this, e.operators[0], left, evaluate(*e.parts[1]));
    }
    case ExpressionKind::compare:
      return evaluate_compare(e);
    case ExpressionKind::both: {
      const Value left = evaluate(*e.parts[0]);
      return is_true(left) ? evaluate(*e.parts[1]) : left;
    }
    case ExpressionKind::either: {
      const Value left = evaluate(*e.parts[0]);
      return is_true(left) ? left : evaluate(*e.parts[1]);
    }
    case ExpressionKind::concat:
      return evaluate_concat(e);
    case ExpressionKind::choice:
      return evaluate_choice(e);
  }
  return {};
}

Value Interpreter::look_up(const std::string* symbol) {
  for (const Scope* scope = scope_; scope; scope = scope->parent) {
    heap_.step(static_cast<std::int64_t>(scope->variables.size() / 16));
    for (const auto& [name, value] : scope->variables) {
      if (name == symbol) return value;
    }
  }
  const auto found = variables_.find(*symbol);
  if (found != variables_.end()) return found->second;
  return heap_.undefined("'" + *symbol + "' is undefined");
}

std::vector<Value> Interpreter::evaluate_parts(const Expression& expression) {
  std::vector<Value> values;
  values.reserve(expression.parts.size());
  for (const ExpressionPtr& part : expression.parts) values.push_back(evaluate(*part));
  return values;
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  const std::vector<Value> parts = evaluate_parts(expression);
  const Value dict = heap_.dict();
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
    set_item(heap_, *dict.dict, parts[i], parts[i + 1]);
  }
  return dict;
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  const Value object = evaluate(*expression.parts[0]);
  Value bounds[3];
  for (int i = 0; i < 3; ++i) {
    const ExpressionPtr& part = expression.parts[static_cast<std::size_t>(i) + 1];
    if (part) bounds[i] = evaluate(*part);
  }
  return slice(heap_, object, bounds[0], bounds[1], bounds[2]);
}

void Interpreter::fill_arguments(const CallArguments& call, Arguments& arguments) {
  for (const ExpressionPtr& value : call.values) arguments.values.push_back(evaluate(*value));
  for (const auto& [name, value] : call.named) arguments.named.emplace_back(name, evaluate(*value));
  if (call.spread) {
    for (const Value& value : elements(evaluate(*call.spread))) arguments.values.push_back(value);
  }
  if (!call.named_spread) return;
  const Value named = evaluate(*call.named_spread);
  if (!named.is(Kind::dict)) throw Fault{"argument after ** must be a mapping"};
  for (const auto& [name, value] : named.dict->entries) {
    if (!name.is_string()) throw Fault{"keywords must be strings"};
    arguments.named.emplace_back(name.view(), value);
  }
}

Value Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Value callee = evaluate(*expression.parts[0]);
  Arguments arguments;
  fill_arguments(expression.call, arguments);
  if (caller) arguments.named.emplace_back("caller", *caller);
  line_ = expression.line;
  return call(callee, arguments);
}

// `body`: what the innermost filter of a filter block or a block assignment gets.
Value Interpreter::evaluate_filter(const Expression& expression, const Value* body) {
  const ExpressionPtr& inner = expression.parts[0];
  Value value;
  if (!inner) {
    value = *body;
  } else if (body && inner->kind == ExpressionKind::filter) {
    value = evaluate_filter(*inner, body);
  } else {
    value = evaluate(*inner);
  }
  Arguments arguments;
  fill_arguments(expression.call, arguments);
  line_ = expression.line;
  if (!expression.function) throw Fault{"No filter named '" + *expression.symbol + "'."};
  return expression.function(*this, value, arguments);
}

Value Interpreter::evaluate_test(const Expression& expression) {
  const Value value = evaluate(*expression.parts[0]);
  Arguments arguments;
  fill_arguments(expression.call, arguments);
  line_ = expression.line;
  if (!expression.function) throw Fault{"No test named '" + *expression.symbol + "'."};
  return expression.function(*this, value, arguments);
}

Value Interpreter::evaluate_compare(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    const Value right = evaluate(*expression.parts[i + 1]);
    if (!apply_compare(*this, expression.operators[i], left, right)) return Value::of(false);
    left = right;
  }
  return Value::of(true);
}

Value Interpreter::evaluate_concat(const Expression& expression) {
  TextBuilder text;
  for (const Value& part : evaluate_parts(expression)) print(part, text);
  return heap_.text(text);
}

Value Interpreter::evaluate_choice(const Expression& expression) {
  if (is_true(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
  if (expression.parts[2]) return evaluate(*expression.parts[2]);
  return heap_.undefined("the inline if-expression on line " + std::to_string(expression.line) +
                         " evaluated to false and no else section was defined.");
}

Value Interpreter::call_filter(std::string_view name, const Value& value, Arguments& arguments) {
  const Function function = find_filter(name);
  if (!function) throw Fault{"No filter named '" + std::string(name) + "'."};
  heap_.step();
  return function(*this, value, arguments);
}

Value Interpreter::call_test(std::string_view name, const Value& value, Arguments& arguments) {
  const Function function = find_test(name);
  if (!function) throw Fault{"No test named '" + std::string(name) + "'."};
  heap_.step();
  return function(*this, value, arguments);
}

}  // namespace plumb::jinja
