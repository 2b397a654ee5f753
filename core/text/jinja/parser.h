// Tokens -> syntax tree, by jinja2's grammar: parse_statements.cpp, parse_expressions.cpp and
// parse_postfix.cpp.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/lexer.h"
#include "core/text/jinja/template_source.h"

namespace plumb::jinja {

std::string described(const Token& token);  // for errors

class Parser {
 public:
  Parser(TemplateSource& source, std::vector<Token> tokens, const Limits& limits)
      : source_(source), tokens_(std::move(tokens)), limits_(limits) {}
  Body parse();

 private:
  using Ends = std::vector<std::string_view>;

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next();  // the current one; moves on
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect_name(std::string_view name);
  void expect(TokenType type);
  std::string expect_any_name();
  [[noreturn]] void fail(const std::string& rule) const { fail(rule, now().line); }
  [[noreturn]] void fail(const std::string& rule, int line) const;
  [[noreturn]] void fail_expected(const std::string& what) const;
  [[noreturn]] void fail_unknown_tag() const;

  // Statements.
  using StatementPtr = std::unique_ptr<Statement>;
  Body parse_until(const Ends& ends);           // leaves the end's name as the current token
  Body parse_body(const Ends& ends);            // after a tag's words: its end mark, and the body
  Body parse_whole_body(std::string_view end);  // the same, past the end's name
  void parse_text(Body& body);
  StatementPtr parse_statement();
  StatementPtr parse_known(const std::string& tag, int line);
  StatementPtr parse_for();
  StatementPtr parse_if();
  StatementPtr parse_set();
  StatementPtr parse_macro();
  StatementPtr parse_call_block();
  StatementPtr parse_filter_block();
  StatementPtr parse_with();
  StatementPtr parse_print();
  StatementPtr parse_block();
  StatementPtr parse_autoescape();
  StatementPtr parse_loop_control(StatementKind kind);
  StatementPtr parse_refused(const std::string& tag);
  StatementPtr make(StatementKind kind);
  void parse_signature(Statement& statement);
  void parse_macro_body(Statement& statement, std::string_view end);

  // Expressions.
  ExpressionPtr parse_expression(bool with_choice = true);
  ExpressionPtr parse_choice();
  ExpressionPtr parse_either();
  ExpressionPtr parse_both();
  ExpressionPtr parse_not();
  ExpressionPtr parse_compare();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filter = true);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_string();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr node);
  ExpressionPtr parse_subscript(ExpressionPtr node);
  ExpressionPtr parse_slice(ExpressionPtr node, ExpressionPtr first);
  ExpressionPtr parse_call(ExpressionPtr node);
  ExpressionPtr parse_filter(ExpressionPtr node);   // after the |
  ExpressionPtr parse_filters(ExpressionPtr node);  // a chain of them
  ExpressionPtr parse_test(ExpressionPtr node);
  CallArguments parse_arguments();
  void parse_argument(CallArguments& call);
  std::string parse_dotted_name();

  struct TupleRules {
    bool with_choice = true;
    bool may_be_empty = false;
    std::string_view end_name = {};  // a name that ends the tuple
  };
  ExpressionPtr parse_tuple(const TupleRules& rules);
  bool is_tuple_end(std::string_view end_name) const;
  ExpressionPtr parse_target(std::string_view end_name, bool with_namespace);
  ExpressionPtr parse_target_part(bool with_namespace);

  ExpressionPtr node(ExpressionKind kind, int line);
  ExpressionPtr node(ExpressionKind kind, int line, ExpressionPtr first,
                     ExpressionPtr second = nullptr);
  ExpressionPtr binary(Operator op, int line, ExpressionPtr left, ExpressionPtr right);
  void add_part(Expression& parent, ExpressionPtr part);
  Value constant(std::string_view text);
  void note_unknown(int line, const std::string& complaint);
  void note_name(const std::string& name);  // of what a macro may use without declaring

  class Nesting;

  TemplateSource& source_;
  std::vector<Token> tokens_;
  const Limits& limits_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  // Within if, an unknown filter is an error only when it is reached.
  bool is_soft_ = false;
  std::vector<std::pair<int, std::string>> unknown_;  // filters and tests: line and complaint
  std::vector<Ends> ends_;
  std::vector<std::string> tags_;   // that are open
  std::vector<Statement*> macros_;  // that are being parsed
};

class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) {
    if (++parser_.nesting_ > parser_.limits_.max_nesting) {
      parser_.fail("it nests deeper than the limit of " +
                   std::to_string(parser_.limits_.max_nesting));
    }
  }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

}  // namespace plumb::jinja
