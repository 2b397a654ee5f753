// The syntax tree of a template.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text/jinja/value.h"

namespace plumb::jinja {

struct Arguments;
class Interpreter;
using Function = Value (*)(Interpreter&, const Value& self, Arguments&);

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind : std::uint8_t {
  constant,   // constant
  name,       // symbol
  attribute,  // parts[0].symbol; as a target: symbol.member of a namespace
  list,       // parts
  tuple,      // parts
  dict,       // parts: key, value, key, value, ...
  item,       // parts[0][parts[1]]
  slice,      // parts[0][parts[1]:parts[2]:parts[3]], each of the last three may be null
  call,       // parts[0](call)
  filter,     // parts[0] | symbol(call); parts[0] is null for a filter block
  test,       // parts[0] is symbol(call)
  unary,      // operators[0] parts[0]
  binary,     // parts[0] operators[0] parts[1]
  compare,    // parts[0] operators[0] parts[1] operators[1] parts[2] ...
  both,       // parts[0] and parts[1]
  either,     // parts[0] or parts[1]
  concat,     // parts joined by ~
  choice,     // parts[1] if parts[0] else parts[2], which may be null
};

enum class Operator : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  negate,
  plus,
  logical_not,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
};

struct CallArguments {
  std::vector<ExpressionPtr> values;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr spread;        // *values
  ExpressionPtr named_spread;  // **named
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  int line = 1;
  int depth = 1;  // of the tree below
  const std::string* symbol = nullptr;
  const std::string* member = nullptr;
  Value constant;
  std::vector<ExpressionPtr> parts;
  std::vector<Operator> operators;
  CallArguments call;
  Function function = nullptr;  // of a filter or test; null when there is none of that name
};

enum class StatementKind : std::uint8_t {
  output,        // values: template text is a constant
  conditional,   // branches, otherwise
  loop,          // target, values[0], filter, body, otherwise
  set,           // target = values[0]
  set_block,     // target, values[0] (a filter, or none), body
  macro,         // symbol, parameters, body
  call_block,    // values[0], a call; parameters, body
  filter_block,  // values[0], a filter; body
  with,          // targets = values, body
  generation,    // body: what the assistant wrote
  block,         // body
  leave,         // break
  next,          // continue
  refused,       // text: what needs other templates
};

struct Parameter {
  const std::string* symbol = nullptr;
  ExpressionPtr fallback;
};

struct Statement {
  StatementKind kind = StatementKind::output;
  int line = 1;
  const std::string* symbol = nullptr;
  std::vector<ExpressionPtr> targets;
  std::vector<ExpressionPtr> values;
  std::vector<std::unique_ptr<Statement>> body;
  std::vector<std::unique_ptr<Statement>> otherwise;
  std::vector<std::unique_ptr<Statement>> branches;  // conditional: values[0] and body of each
  ExpressionPtr filter;
  std::vector<Parameter> parameters;
  bool is_recursive = false;
  bool uses_caller = false, uses_named = false, uses_values = false;  // of a macro
  std::string text;
};
using Body = std::vector<std::unique_ptr<Statement>>;

}  // namespace plumb::jinja
