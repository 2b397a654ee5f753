#include "core/text/jinja/interpreter.h"

#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/interpreter_guards.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

Interpreter::Interpreter(const TemplateSource& source, const Limits& limits, Clock clock)
    : source_(source), heap_(limits), clock_(std::move(clock)) {
  for (const auto& [name, function] : global_functions()) {
    set_variable(name, heap_.callable({.name = std::string(name),
                                       .function = function,
                                       .macro = nullptr,
                                       .scope = nullptr,
                                       .self = {},
                                       .state = 0,
                                       .type = "function"}));
  }
}

void Interpreter::set_variable(std::string_view name, const Value& value) {
  variables_.insert_or_assign(std::string(name), value);
}

TracedText Interpreter::run(std::vector<ByteRange>* generated) {
  generated_ = generated;
  root_ = scope_ = heap_.scope(nullptr);
  TextBuilder out;
  output_ = &out;
  try {
    run_body(source_.body, out);
  } catch (const Fault& fault) {
    throw TemplateError(source_.name, line_, fault.message);
  }
  return out.finish();
}

Interpreter::Flow Interpreter::run_body(const Body& body, TextBuilder& out) {
  for (const auto& statement : body) {
    const Flow flow = run_statement(*statement, out);
    if (flow != Flow::go_on) return flow;
  }
  return Flow::go_on;
}

Interpreter::Flow Interpreter::run_statement(const Statement& statement, TextBuilder& out) {
  const StackGuard guard(*this);
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::output:
      run_output(statement, out);
      break;
    case StatementKind::conditional:
      return run_conditional(statement, out);
    case StatementKind::loop:
      run_for(statement, out);
      break;
    case StatementKind::set:
      assign(*statement.targets.front(), evaluate(*statement.values.front()));
      break;
    case StatementKind::set_block:
      run_set_block(statement);
      break;
    case StatementKind::macro:
      define_macro(statement);
      break;
    case StatementKind::call_block:
      run_call_block(statement, out);
      break;
    case StatementKind::filter_block:
      run_filter_block(statement, out);
      break;
    case StatementKind::with:
      run_with(statement, out);
      break;
    case StatementKind::generation:
      run_generation(statement, out);
      break;
    case StatementKind::block:
      return run_scoped(statement.body, out);
    case StatementKind::leave:
      return Flow::leave;
    case StatementKind::next:
      return Flow::next;
    case StatementKind::refused:
      throw Fault{statement.text};
  }
  return Flow::go_on;
}

Interpreter::Flow Interpreter::run_conditional(const Statement& statement, TextBuilder& out) {
  for (const auto& branch : statement.branches) {
    if (is_true(evaluate(*branch->values.front()))) return run_body(branch->body, out);
  }
  return run_body(statement.otherwise, out);
}

Interpreter::Flow Interpreter::run_scoped(const Body& body, TextBuilder& out) {
  const ScopeGuard scope(*this, heap_.scope(scope_));
  return run_body(body, out);
}

void Interpreter::print(const Value& value, TextBuilder& out) {
  if (value.is_string()) {
    heap_.charge(value.string->bytes.size());
    out.append(*value.string);
  } else {
    print_value(heap_, value, out);
  }
  heap_.check_size(out.size());
}

void Interpreter::run_output(const Statement& statement, TextBuilder& out) {
  for (const ExpressionPtr& value : statement.values) print(evaluate(*value), out);
}

Value Interpreter::captured(const Body& body) {
  const ScopeGuard scope(*this, heap_.scope(scope_));
  TextBuilder text;
  run_body(body, text);
  return heap_.text(text);
}

void Interpreter::run_set_block(const Statement& statement) {
  const ScopeGuard scope(*this, heap_.scope(scope_));
  TextBuilder text;
  run_body(statement.body, text);
  Value value = heap_.text(text);
  if (!statement.values.empty()) value = evaluate_filter(*statement.values.front(), &value);
  scope_ = scope_->parent;
  assign(*statement.targets.front(), value);
}

void Interpreter::run_filter_block(const Statement& statement, TextBuilder& out) {
  const ScopeGuard scope(*this, heap_.scope(scope_));
  const Value body = captured(statement.body);
  print(evaluate_filter(*statement.values.front(), &body), out);
}

void Interpreter::run_call_block(const Statement& statement, TextBuilder& out) {
  const Value caller = heap_.callable({.name = "caller",
                                       .function = nullptr,
                                       .macro = &statement,
                                       .scope = scope_,
                                       .self = {},
                                       .state = 0,
                                       .type = "Macro"});
  print(evaluate_call(*statement.values.front(), &caller), out);
}

void Interpreter::run_with(const Statement& statement, TextBuilder& out) {
  std::vector<Value> values;
  for (const ExpressionPtr& value : statement.values) values.push_back(evaluate(*value));
  const ScopeGuard scope(*this, heap_.scope(scope_));
  for (std::size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
  run_body(statement.body, out);
}

// Offsets are into the whole output, as transformers counts them.
void Interpreter::run_generation(const Statement& statement, TextBuilder& out) {
  const std::size_t begin = output_->size();
  const Value body = captured(statement.body);
  if (generated_) generated_->push_back({begin, begin + body.string->bytes.size()});
  print(body, out);
}

void Interpreter::define_macro(const Statement& statement) {
  scope_->set(statement.symbol, heap_.callable({.name = *statement.symbol,
                                                .function = nullptr,
                                                .macro = &statement,
                                                .scope = scope_,
                                                .self = {},
                                                .state = 0,
                                                .type = "Macro"}));
}

void Interpreter::assign(const Expression& target, const Value& value) {
  if (target.kind == ExpressionKind::tuple) {
    assign_parts(target, value);
  } else if (target.kind == ExpressionKind::attribute) {
    assign_attribute(target, value);
  } else {
    heap_.charge(sizeof(Value));
    scope_->set(target.symbol, value);
  }
}

void Interpreter::assign_parts(const Expression& target, const Value& value) {
  const std::vector<Value> values = elements(value);
  const std::size_t wanted = target.parts.size();
  if (values.size() > wanted) {
    throw Fault{"too many values to unpack (expected " + std::to_string(wanted) + ")"};
  }
  if (values.size() < wanted) {
    throw Fault{"not enough values to unpack (expected " + std::to_string(wanted) + ", got " +
                std::to_string(values.size()) + ")"};
  }
  for (std::size_t i = 0; i < wanted; ++i) assign(*target.parts[i], values[i]);
}

void Interpreter::assign_attribute(const Expression& target, const Value& value) {
  const Value object = look_up(target.symbol);
  if (!object.is(Kind::name_space)) {
    throw Fault{"cannot assign attribute on non-namespace object"};
  }
  if (target.member->starts_with('_')) {
    throw Fault{
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '" +
        *target.member + "'. Please rename the attribute."};
  }
  auto& attributes = object.name_space->attributes;
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& pair) { return pair.first == *target.member; });
  if (found != attributes.end()) {
    found->second = value;
    return;
  }
  heap_.charge(sizeof(Value) + target.member->size());
  attributes.emplace_back(*target.member, value);
}

}  // namespace plumb::jinja
