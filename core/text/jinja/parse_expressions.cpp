#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/parser.h"

namespace plumb::jinja {

namespace {

template <std::size_t N>
const Operator* find_operator(const std::array<std::pair<std::string_view, Operator>, N>& table,
                              const Token& token) {
  if (token.type != TokenType::op) return nullptr;
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const auto& row) { return row.first == token.text; });
  return found == table.end() ? nullptr : &found->second;
}

constexpr std::array<std::pair<std::string_view, Operator>, 6> kCompare = {
    {{"==", Operator::equal},
     {"!=", Operator::not_equal},
     {"<", Operator::less},
     {"<=", Operator::less_equal},
     {">", Operator::greater},
     {">=", Operator::greater_equal}}};
constexpr std::array<std::pair<std::string_view, Operator>, 2> kSum = {
    {{"+", Operator::add}, {"-", Operator::subtract}}};
constexpr std::array<std::pair<std::string_view, Operator>, 4> kProduct = {
    {{"*", Operator::multiply},
     {"/", Operator::divide},
     {"//", Operator::floor_divide},
     {"%", Operator::modulo}}};

}  // namespace

ExpressionPtr Parser::node(ExpressionKind kind, int line) {
  auto out = std::make_unique<Expression>();
  out->kind = kind;
  out->line = line;
  return out;
}

ExpressionPtr Parser::node(ExpressionKind kind, int line, ExpressionPtr first,
                           ExpressionPtr second) {
  ExpressionPtr out = node(kind, line);
  add_part(*out, std::move(first));
  if (second) add_part(*out, std::move(second));
  return out;
}

// Trees are as deep as their longest chain: the interpreter goes down them.
void Parser::add_part(Expression& parent, ExpressionPtr part) {
  if (part) parent.depth = std::max(parent.depth, part->depth + 1);
  parent.parts.push_back(std::move(part));
  if (parent.depth > limits_.max_nesting) {
    fail("an expression has more than " + std::to_string(limits_.max_nesting) +
             " operations within operations",
         parent.line);
  }
}

ExpressionPtr Parser::binary(Operator op, int line, ExpressionPtr left, ExpressionPtr right) {
  ExpressionPtr out = node(ExpressionKind::binary, line, std::move(left), std::move(right));
  out->operators = {op};
  return out;
}

Value Parser::constant(std::string_view text) {
  TextBuilder builder;
  builder.append(text, kTemplate);
  source_.constants.push_back(builder.finish());
  return Value::of(&source_.constants.back());
}

ExpressionPtr Parser::parse_expression(bool with_choice) {
  const Nesting nesting(*this);
  return with_choice ? parse_choice() : parse_either();
}

ExpressionPtr Parser::parse_choice() {
  int line = now().line;
  const std::size_t unknown_before = unknown_.size();
  ExpressionPtr value = parse_either();
  while (skip_name("if")) {
    ExpressionPtr out = node(ExpressionKind::choice, line, parse_either(), std::move(value));
    add_part(*out, skip_name("else") ? parse_expression() : nullptr);
    value = std::move(out);
    line = now().line;
    unknown_.resize(unknown_before);
  }
  return value;
}

ExpressionPtr Parser::parse_either() {
  const int line = now().line;
  ExpressionPtr left = parse_both();
  while (skip_name("or")) {
    left = node(ExpressionKind::either, line, std::move(left), parse_both());
  }
  return left;
}

ExpressionPtr Parser::parse_both() {
  const int line = now().line;
  ExpressionPtr left = parse_not();
  while (skip_name("and")) left = node(ExpressionKind::both, line, std::move(left), parse_not());
  return left;
}

ExpressionPtr Parser::parse_not() {
  if (!now().is_name("not")) return parse_compare();
  const Nesting nesting(*this);
  const int line = next().line;
  ExpressionPtr out = node(ExpressionKind::unary, line, parse_not());
  out->operators = {Operator::logical_not};
  return out;
}

ExpressionPtr Parser::parse_compare() {
  const int line = now().line;
  ExpressionPtr first = parse_sum();
  ExpressionPtr out;
  while (true) {
    Operator op = Operator::in;
    if (const Operator* found = find_operator(kCompare, now())) {
      op = *found;
      next();
    } else if (now().is_name("not") && ahead().is_name("in")) {
      op = Operator::not_in;
      next();
      next();
    } else if (!skip_name("in")) {
      return out ? std::move(out) : std::move(first);
    }
    if (!out) out = node(ExpressionKind::compare, line, std::move(first));
    add_part(*out, parse_sum());
    out->operators.push_back(op);
  }
}

ExpressionPtr Parser::parse_sum() {
  const int line = now().line;
  ExpressionPtr left = parse_concat();
  while (const Operator* op = find_operator(kSum, now())) {
    next();
    left = binary(*op, line, std::move(left), parse_concat());
  }
  return left;
}

ExpressionPtr Parser::parse_concat() {
  const int line = now().line;
  ExpressionPtr first = parse_product();
  if (!now().is_op("~")) return first;
  ExpressionPtr out = node(ExpressionKind::concat, line, std::move(first));
  while (skip_op("~")) add_part(*out, parse_product());
  return out;
}

ExpressionPtr Parser::parse_product() {
  const int line = now().line;
  ExpressionPtr left = parse_power();
  while (const Operator* op = find_operator(kProduct, now())) {
    next();
    left = binary(*op, line, std::move(left), parse_power());
  }
  return left;
}

// Left to right, unlike Python's.
ExpressionPtr Parser::parse_power() {
  const int line = now().line;
  ExpressionPtr left = parse_unary();
  while (skip_op("**")) left = binary(Operator::power, line, std::move(left), parse_unary());
  return left;
}

ExpressionPtr Parser::parse_unary(bool with_filter) {
  const Nesting nesting(*this);
  const int line = now().line;
  ExpressionPtr out;
  if (now().is_op("-") || now().is_op("+")) {
    const Operator op = next().text == "-" ? Operator::negate : Operator::plus;
    out = node(ExpressionKind::unary, line, parse_unary(false));
    out->operators = {op};
  } else {
    out = parse_primary();
  }
  out = parse_postfix(std::move(out));
  return with_filter ? parse_filters_and_tests(std::move(out)) : std::move(out);
}

ExpressionPtr Parser::parse_primary() {
  const int line = now().line;
  switch (now().type) {
    case TokenType::name:
      return parse_name();
    case TokenType::string:
      return parse_string();
    case TokenType::integer: {
      ExpressionPtr out = node(ExpressionKind::constant, line);
      out->constant = Value::of(next().integer);
      return out;
    }
    case TokenType::real: {
      ExpressionPtr out = node(ExpressionKind::constant, line);
      out->constant = Value::of(next().real);
      return out;
    }
    default:
      break;
  }
  if (now().is_op("[")) return parse_list();
  if (now().is_op("{")) return parse_dict();
  if (skip_op("(")) {
    ExpressionPtr out = parse_tuple({.may_be_empty = true});
    expect_op(")");
    return out;
  }
  fail("unexpected '" + described(now()) + "'");
}

ExpressionPtr Parser::parse_name() {
  const Token& token = next();
  ExpressionPtr out = node(ExpressionKind::constant, token.line);
  if (token.text == "true" || token.text == "True") {
    out->constant = Value::of(true);
  } else if (token.text == "false" || token.text == "False") {
    out->constant = Value::of(false);
  } else if (token.text != "none" && token.text != "None") {
    out->kind = ExpressionKind::name;
    out->symbol = source_.intern(token.text);
    note_name(token.text);
  }
  return out;
}

ExpressionPtr Parser::parse_string() {
  ExpressionPtr out = node(ExpressionKind::constant, now().line);
  std::string text = next().text;
  while (now().type == TokenType::string) text += next().text;
  out->constant = constant(text);
  return out;
}

ExpressionPtr Parser::parse_list() {
  ExpressionPtr out = node(ExpressionKind::list, next().line);
  while (!now().is_op("]")) {
    if (!out->parts.empty()) expect_op(",");
    if (now().is_op("]")) break;
    add_part(*out, parse_expression());
  }
  expect_op("]");
  return out;
}

ExpressionPtr Parser::parse_dict() {
  ExpressionPtr out = node(ExpressionKind::dict, next().line);
  while (!now().is_op("}")) {
    if (!out->parts.empty()) expect_op(",");
    if (now().is_op("}")) break;
    add_part(*out, parse_expression());
    expect_op(":");
    add_part(*out, parse_expression());
  }
  expect_op("}");
  return out;
}

bool Parser::is_tuple_end(std::string_view end_name) const {
  return now().type == TokenType::variable_end || now().type == TokenType::block_end ||
         now().is_op(")") || (!end_name.empty() && now().is_name(end_name));
}

ExpressionPtr Parser::parse_tuple(const TupleRules& rules) {
  const int line = now().line;
  std::vector<ExpressionPtr> parts;
  bool is_tuple = false;
  while (true) {
    if (!parts.empty()) expect_op(",");
    if (is_tuple_end(rules.end_name)) break;
    parts.push_back(parse_expression(rules.with_choice));
    if (!now().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !parts.empty()) return std::move(parts.front());
  if (!is_tuple && !rules.may_be_empty)
    fail("Expected an expression, got '" + described(now()) + "'");
  ExpressionPtr out = node(ExpressionKind::tuple, line);
  for (ExpressionPtr& part : parts) add_part(*out, std::move(part));
  return out;
}

void Parser::note_unknown(int line, const std::string& complaint) {
  if (!is_soft_) unknown_.emplace_back(line, complaint);
}

void Parser::note_name(const std::string& name) {
  for (Statement* macro : macros_) {
    macro->uses_caller |= name == "caller";
    macro->uses_named |= name == "kwargs";
    macro->uses_values |= name == "varargs";
  }
}

}  // namespace plumb::jinja
