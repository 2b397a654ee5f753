// What follows a value: subscripts, calls, filters, tests; and the targets of assignments.
#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/parser.h"

namespace plumb::jinja {

ExpressionPtr Parser::parse_postfix(ExpressionPtr value) {
  while (true) {
    if (now().is_op(".") || now().is_op("[")) {
      value = parse_subscript(std::move(value));
    } else if (now().is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr Parser::parse_filters_and_tests(ExpressionPtr value) {
  while (true) {
    if (now().is_op("|")) {
      value = parse_filters(std::move(value));
    } else if (now().is_name("is")) {
      value = parse_test(std::move(value));
    } else if (now().is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr value) {
  const Token& mark = next();
  const int line = mark.line;
  if (mark.text == ".") {
    const Token& name = next();
    if (name.type == TokenType::name) {
      ExpressionPtr out = node(ExpressionKind::attribute, line, std::move(value));
      out->symbol = source_.intern(name.text);
      return out;
    }
    if (name.type != TokenType::integer) fail("expected name or number", name.line);
    ExpressionPtr index = node(ExpressionKind::constant, line);
    index->constant = Value::of(name.integer);
    return node(ExpressionKind::item, line, std::move(value), std::move(index));
  }
  std::vector<ExpressionPtr> parts;
  ExpressionPtr sliced;
  while (!now().is_op("]")) {
    if (!parts.empty() || sliced) expect_op(",");
    if (sliced) fail("a slice with other subscripts is not supported");
    ExpressionPtr first = now().is_op(":") ? nullptr : parse_expression();
    if (!now().is_op(":")) {
      parts.push_back(std::move(first));
    } else if (!parts.empty()) {
      fail("a slice with other subscripts is not supported");
    } else {
      sliced = parse_slice(std::move(value), std::move(first));
    }
  }
  expect_op("]");
  if (sliced) return sliced;
  if (parts.size() == 1) {
    return node(ExpressionKind::item, line, std::move(value), std::move(parts.front()));
  }
  ExpressionPtr tuple = node(ExpressionKind::tuple, line);
  for (ExpressionPtr& part : parts) add_part(*tuple, std::move(part));
  return node(ExpressionKind::item, line, std::move(value), std::move(tuple));
}

// At the first colon.
ExpressionPtr Parser::parse_slice(ExpressionPtr value, ExpressionPtr first) {
  const auto is_end = [this] { return now().is_op("]") || now().is_op(","); };
  ExpressionPtr out = node(ExpressionKind::slice, now().line, std::move(value));
  expect_op(":");
  ExpressionPtr stop = is_end() || now().is_op(":") ? nullptr : parse_expression();
  ExpressionPtr step;
  if (skip_op(":") && !is_end()) step = parse_expression();
  add_part(*out, std::move(first));
  add_part(*out, std::move(stop));
  add_part(*out, std::move(step));
  return out;
}

ExpressionPtr Parser::parse_call(ExpressionPtr value) {
  ExpressionPtr out = node(ExpressionKind::call, now().line, std::move(value));
  out->call = parse_arguments();
  return out;
}

CallArguments Parser::parse_arguments() {
  CallArguments call;
  expect_op("(");
  bool is_first = true;
  while (!now().is_op(")")) {
    if (!is_first) expect_op(",");
    if (!is_first && now().is_op(")")) break;
    is_first = false;
    parse_argument(call);
  }
  expect_op(")");
  return call;
}

void Parser::parse_argument(CallArguments& call) {
  const auto ensure = [this](bool is_right) {
    if (!is_right) fail("invalid syntax for function call expression");
  };
  if (skip_op("*")) {
    ensure(!call.spread && !call.named_spread);
    call.spread = parse_expression();
  } else if (skip_op("**")) {
    ensure(!call.named_spread);
    call.named_spread = parse_expression();
  } else if (now().type == TokenType::name && ahead().is_op("=")) {
    ensure(!call.named_spread);
    std::string name = next().text;
    next();
    call.named.emplace_back(std::move(name), parse_expression());
  } else {
    ensure(!call.spread && !call.named_spread && call.named.empty());
    call.values.push_back(parse_expression());
  }
}

std::string Parser::parse_dotted_name() {
  std::string name = expect_any_name();
  while (skip_op(".")) name += "." + expect_any_name();
  return name;
}

ExpressionPtr Parser::parse_filters(ExpressionPtr value) {
  while (skip_op("|")) value = parse_filter(std::move(value));
  return value;
}

ExpressionPtr Parser::parse_filter(ExpressionPtr value) {
  const int line = now().line;
  const std::string name = parse_dotted_name();
  ExpressionPtr out = node(ExpressionKind::filter, line, std::move(value));
  out->symbol = source_.intern(name);
  out->function = find_filter(name);
  if (!out->function) note_unknown(line, "No filter named '" + name + "'.");
  if (now().is_op("(")) out->call = parse_arguments();
  return out;
}

ExpressionPtr Parser::parse_test(ExpressionPtr value) {
  const int line = next().line;
  const bool is_negated = skip_name("not");
  const std::string name = parse_dotted_name();
  ExpressionPtr out = node(ExpressionKind::test, line, std::move(value));
  out->symbol = source_.intern(name);
  out->function = find_test(name);
  if (!out->function) note_unknown(line, "No test named '" + name + "'.");
  const Token& token = now();
  const bool is_word = token.type == TokenType::name && token.text != "else" &&
                       token.text != "or" && token.text != "and";
  const bool is_value = is_word || token.type == TokenType::string ||
                        token.type == TokenType::integer || token.type == TokenType::real ||
                        token.is_op("[") || token.is_op("{");
  if (token.is_op("(")) {
    out->call = parse_arguments();
  } else if (is_value) {
    if (token.is_name("is")) fail("You cannot chain multiple tests with is");
    out->call.values.push_back(parse_postfix(parse_primary()));
  }
  if (!is_negated) return out;
  ExpressionPtr negated = node(ExpressionKind::unary, line, std::move(out));
  negated->operators = {Operator::logical_not};
  return negated;
}

ExpressionPtr Parser::parse_target(std::string_view end_name, bool with_namespace) {
  const int line = now().line;
  std::vector<ExpressionPtr> parts;
  bool is_tuple = false;
  while (true) {
    if (!parts.empty()) expect_op(",");
    if (is_tuple_end(end_name) || (is_tuple && now().is_op("="))) break;
    parts.push_back(parse_target_part(with_namespace));
    if (!now().is_op(",")) break;
    is_tuple = true;
  }
  if (parts.empty()) fail("Expected an expression, got '" + described(now()) + "'");
  if (!is_tuple) return std::move(parts.front());
  ExpressionPtr out = node(ExpressionKind::tuple, line);
  for (ExpressionPtr& part : parts) add_part(*out, std::move(part));
  return out;
}

ExpressionPtr Parser::parse_target_part(bool with_namespace) {
  const Nesting nesting(*this);
  const int line = now().line;
  if (skip_op("(")) {
    ExpressionPtr out = parse_target("", with_namespace);
    expect_op(")");
    return out;
  }
  if (now().type != TokenType::name) fail("can't assign to '" + now().text + "'");
  const std::string name = next().text;
  static constexpr std::array kConstants = {"true", "True", "false", "False", "none", "None"};
  if (std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end()) {
    fail("can't assign to 'const'", line);
  }
  const bool is_attribute = with_namespace && skip_op(".");
  ExpressionPtr out = node(is_attribute ? ExpressionKind::attribute : ExpressionKind::name, line);
  out->symbol = source_.intern(name);
  if (is_attribute) out->member = source_.intern(expect_any_name());
  return out;
}

}  // namespace plumb::jinja
