#include <algorithm>
#include <array>

#include "core/text/jinja/parser.h"

namespace plumb::jinja {

namespace {

const char* type_word(TokenType type) {
  switch (type) {
    case TokenType::block_end:
      return "end of statement block";
    case TokenType::variable_end:
      return "end of print statement";
    case TokenType::block_begin:
      return "begin of statement block";
    case TokenType::variable_begin:
      return "begin of print statement";
    case TokenType::data:
      return "template data / text";
    case TokenType::end:
      return "end of template";
    case TokenType::string:
      return "string";
    case TokenType::integer:
      return "integer";
    case TokenType::real:
      return "float";
    default:
      return "name";
  }
}

}  // namespace

std::string described(const Token& token) {
  const bool has_text = token.type == TokenType::name || token.type == TokenType::op;
  return has_text ? token.text : type_word(token.type);
}

void Parser::fail(const std::string& rule, int line) const {
  throw TemplateError(source_.name, line, rule);
}

void Parser::fail_expected(const std::string& what) const {
  if (now().type == TokenType::end) {
    fail("unexpected end of template, expected '" + what + "'.");
  }
  fail("expected token '" + what + "', got '" + described(now()) + "'");
}

const Token& Parser::next() {
  const Token& token = tokens_[at_];
  if (token.type != TokenType::end) ++at_;
  return token;
}

bool Parser::skip_op(std::string_view op) {
  if (!now().is_op(op)) return false;
  next();
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!now().is_name(name)) return false;
  next();
  return true;
}

void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail_expected(std::string(op));
}

void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail_expected(std::string(name));
}

void Parser::expect(TokenType type) {
  if (now().type != type) fail_expected(type_word(type));
  next();
}

std::string Parser::expect_any_name() {
  if (now().type != TokenType::name) fail_expected("name");
  return next().text;
}

void Parser::fail_unknown_tag() const {
  std::string message = now().type == TokenType::end
                            ? "Unexpected end of template."
                            : "Encountered unknown tag '" + now().text + "'.";
  if (!ends_.empty()) {
    message += " Jinja was looking for the following tags: ";
    for (std::size_t i = 0; i < ends_.back().size(); ++i) {
      message += (i ? " or '" : "'") + std::string(ends_.back()[i]) + "'";
    }
    message += ".";
  }
  if (!tags_.empty()) {
    message += " The innermost block that needs to be closed is '" + tags_.back() + "'.";
  }
  fail(message);
}

Body Parser::parse() {
  Body body = parse_until({});
  if (!unknown_.empty()) fail(unknown_.front().second, unknown_.front().first);
  return body;
}

Body Parser::parse_until(const Ends& ends) {
  Body body;
  if (!ends.empty()) ends_.push_back(ends);
  while (now().type != TokenType::end) {
    if (now().type != TokenType::block_begin) {
      parse_text(body);
      continue;
    }
    next();
    const bool is_end = now().type == TokenType::name &&
                        std::find(ends.begin(), ends.end(), now().text) != ends.end();
    if (is_end) {
      ends_.pop_back();
      return body;
    }
    body.push_back(parse_statement());
    expect(TokenType::block_end);
  }
  if (!ends.empty()) fail_unknown_tag();
  return body;
}

void Parser::parse_text(Body& body) {
  if (body.empty() || body.back()->kind != StatementKind::output) {
    body.push_back(make(StatementKind::output));
  }
  std::vector<ExpressionPtr>& values = body.back()->values;
  const Token& token = next();
  if (token.type == TokenType::data) {
    ExpressionPtr text = node(ExpressionKind::constant, token.line);
    text->constant = constant(token.text);
    values.push_back(std::move(text));
    return;
  }
  values.push_back(parse_tuple({}));
  expect(TokenType::variable_end);
}

Body Parser::parse_body(const Ends& ends) {
  skip_op(":");
  expect(TokenType::block_end);
  return parse_until(ends);
}

Body Parser::parse_whole_body(std::string_view end) {
  Body body = parse_body({end});
  next();
  return body;
}

Parser::StatementPtr Parser::make(StatementKind kind) {
  auto out = std::make_unique<Statement>();
  out->kind = kind;
  out->line = now().line;
  return out;
}

Parser::StatementPtr Parser::parse_statement() {
  const Nesting nesting(*this);
  if (now().type != TokenType::name) fail("tag name expected");
  const std::string tag = now().text;
  const int line = now().line;
  tags_.push_back(tag);
  const bool was_soft = is_soft_;
  if (tag != "if") is_soft_ = is_soft_ && (tag == "set" || tag == "print");
  StatementPtr out = parse_known(tag, line);
  is_soft_ = was_soft;
  tags_.pop_back();
  return out;
}

Parser::StatementPtr Parser::parse_known(const std::string& tag, int line) {
  using Parse = StatementPtr (Parser::*)();
  static constexpr std::array<std::pair<std::string_view, Parse>, 10> kTags = {
      {{"for", &Parser::parse_for},
       {"if", &Parser::parse_if},
       {"set", &Parser::parse_set},
       {"macro", &Parser::parse_macro},
       {"call", &Parser::parse_call_block},
       {"filter", &Parser::parse_filter_block},
       {"with", &Parser::parse_with},
       {"print", &Parser::parse_print},
       {"block", &Parser::parse_block},
       {"autoescape", &Parser::parse_autoescape}}};
  StatementPtr out;
  const auto found =
      std::find_if(kTags.begin(), kTags.end(), [&](const auto& row) { return row.first == tag; });
  if (found == kTags.end()) {
    const bool is_refused =
        tag == "include" || tag == "import" || tag == "extends" || tag == "from";
    if (!is_refused && tag != "break" && tag != "continue" && tag != "generation") {
      tags_.pop_back();
      fail_unknown_tag();
    }
    next();
    if (is_refused) return parse_refused(tag);
    if (tag == "break") return parse_loop_control(StatementKind::leave);
    if (tag == "continue") return parse_loop_control(StatementKind::next);
    out = make(StatementKind::generation);
    out->body = parse_whole_body("endgeneration");
  } else {
    next();
    out = (this->*found->second)();
  }
  out->line = line;
  return out;
}

Parser::StatementPtr Parser::parse_for() {
  StatementPtr out = make(StatementKind::loop);
  out->targets.push_back(parse_target("in", false));
  for (const ExpressionPtr& part : out->targets.back()->parts) {
    if (part->symbol && *part->symbol == "loop") {
      fail("Can't assign to special loop variable in for-loop target");
    }
  }
  if (out->targets.back()->symbol && *out->targets.back()->symbol == "loop") {
    fail("Can't assign to special loop variable in for-loop target");
  }
  expect_name("in");
  out->values.push_back(parse_tuple({.with_choice = false, .end_name = "recursive"}));
  if (skip_name("if")) out->filter = parse_expression();
  out->is_recursive = skip_name("recursive");
  out->body = parse_body({"endfor", "else"});
  if (next().text == "else") out->otherwise = parse_whole_body("endfor");
  return out;
}

Parser::StatementPtr Parser::parse_if() {
  is_soft_ = true;
  StatementPtr out = make(StatementKind::conditional);
  while (true) {
    StatementPtr branch = make(StatementKind::conditional);
    branch->values.push_back(parse_tuple({.with_choice = false}));
    branch->body = parse_body({"elif", "else", "endif"});
    out->branches.push_back(std::move(branch));
    const std::string& end = next().text;
    if (end == "elif") continue;
    if (end == "else") out->otherwise = parse_whole_body("endif");
    return out;
  }
}

Parser::StatementPtr Parser::parse_set() {
  StatementPtr out = make(StatementKind::set);
  out->targets.push_back(parse_target("", true));
  if (skip_op("=")) {
    out->values.push_back(parse_tuple({}));
    return out;
  }
  out->kind = StatementKind::set_block;
  if (now().is_op("|")) out->values.push_back(parse_filters(nullptr));
  out->body = parse_whole_body("endset");
  return out;
}

void Parser::parse_signature(Statement& statement) {
  expect_op("(");
  while (!now().is_op(")")) {
    if (!statement.parameters.empty()) expect_op(",");
    Parameter parameter;
    parameter.symbol = source_.intern(expect_any_name());
    const bool must_have_fallback =
        !statement.parameters.empty() && statement.parameters.back().fallback;
    if (skip_op("=")) {
      parameter.fallback = parse_expression();
    } else if (must_have_fallback) {
      fail("non-default argument follows default argument");
    }
    statement.parameters.push_back(std::move(parameter));
  }
  expect_op(")");
}

void Parser::parse_macro_body(Statement& statement, std::string_view end) {
  macros_.push_back(&statement);
  statement.body = parse_whole_body(end);
  macros_.pop_back();
  for (const Parameter& parameter : statement.parameters) {
    if (*parameter.symbol == "kwargs") statement.uses_named = false;
    if (*parameter.symbol == "varargs") statement.uses_values = false;
    if (*parameter.symbol != "caller") continue;
    if (statement.uses_caller && !parameter.fallback) {
      fail(
          "When defining macros or call blocks the special \"caller\" argument must be omitted or "
          "be given a default.",
          statement.line);
    }
    statement.uses_caller = false;
  }
}

Parser::StatementPtr Parser::parse_macro() {
  StatementPtr out = make(StatementKind::macro);
  out->symbol = source_.intern(expect_any_name());
  parse_signature(*out);
  parse_macro_body(*out, "endmacro");
  return out;
}

Parser::StatementPtr Parser::parse_call_block() {
  StatementPtr out = make(StatementKind::call_block);
  if (now().is_op("(")) parse_signature(*out);
  out->values.push_back(parse_expression());
  if (out->values.front()->kind != ExpressionKind::call) fail("expected call");
  parse_macro_body(*out, "endcall");
  return out;
}

Parser::StatementPtr Parser::parse_filter_block() {
  StatementPtr out = make(StatementKind::filter_block);
  out->values.push_back(parse_filters(parse_filter(nullptr)));
  out->body = parse_whole_body("endfilter");
  return out;
}

Parser::StatementPtr Parser::parse_with() {
  StatementPtr out = make(StatementKind::with);
  while (now().type != TokenType::block_end) {
    if (!out->targets.empty()) expect_op(",");
    out->targets.push_back(parse_target("", false));
    expect_op("=");
    out->values.push_back(parse_expression());
  }
  out->body = parse_whole_body("endwith");
  return out;
}

Parser::StatementPtr Parser::parse_print() {
  StatementPtr out = make(StatementKind::output);
  while (now().type != TokenType::block_end) {
    if (!out->values.empty()) expect_op(",");
    out->values.push_back(parse_expression());
  }
  return out;
}

Parser::StatementPtr Parser::parse_block() {
  StatementPtr out = make(StatementKind::block);
  const std::string name = expect_any_name();
  skip_name("scoped");
  skip_name("required");
  out->body = parse_whole_body("endblock");
  skip_name(name);
  return out;
}

Parser::StatementPtr Parser::parse_autoescape() {
  StatementPtr out = make(StatementKind::block);
  const ExpressionPtr wanted = parse_expression();
  const bool is_off = wanted->kind == ExpressionKind::constant && !is_true(wanted->constant);
  if (!is_off) fail("autoescape is not supported; use the filter escape");
  out->body = parse_whole_body("endautoescape");
  return out;
}

Parser::StatementPtr Parser::parse_loop_control(StatementKind kind) {
  if (std::find(tags_.begin(), tags_.end(), "for") == tags_.end()) {
    fail("'break' and 'continue' stand within a for loop only");
  }
  return make(kind);
}

Parser::StatementPtr Parser::parse_refused(const std::string& tag) {
  StatementPtr out = make(StatementKind::refused);
  out->text = "no loader for this environment specified: '" + tag +
              "' needs another template, and a chat template is one file";
  while (now().type != TokenType::block_end && now().type != TokenType::end) next();
  return out;
}

std::shared_ptr<const TemplateSource> parse_template(std::string_view text, const std::string& name,
                                                     const Limits& limits) {
  if (text.size() > limits.max_source_bytes) {
    throw TemplateError(name, 1,
                        "it has " + std::to_string(text.size()) +
                            " bytes, more than the limit of " +
                            std::to_string(limits.max_source_bytes));
  }
  auto source = std::make_shared<TemplateSource>();
  source->name = name;
  Parser parser(*source, read_tokens(text, name), limits);
  source->body = parser.parse();
  return source;
}

}  // namespace plumb::jinja
