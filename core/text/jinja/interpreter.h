// Runs a template: statements in interpreter.cpp, expressions in evaluate.cpp, macros and loops in
// calls.cpp. Filters, tests and methods get the interpreter as their first argument.
#pragma once
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/heap.h"
#include "core/text/jinja/template_source.h"

namespace plumb::jinja {

// Local time as strftime wants it: seconds since 1970 are the caller's business.
using Clock = std::function<std::tm()>;

struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Interpreter {
 public:
  Interpreter(const TemplateSource& source, const Limits& limits, Clock clock);

  void set_variable(std::string_view name, const Value& value);
  // The text, and where generation blocks lie in it. Throws TemplateError. Once only.
  TracedText run(std::vector<ByteRange>* generated);

  // For filters, tests, methods and globals. All throw Fault.
  Heap& heap() { return heap_; }
  std::tm now() const { return clock_(); }
  Value call(const Value& callee, Arguments& arguments);
  Value attribute(const Value& object, std::string_view name);  // environment.getattr
  Value item(const Value& object, const Value& key);            // environment.getitem
  Value call_filter(std::string_view name, const Value& value, Arguments& arguments);
  Value call_test(std::string_view name, const Value& value, Arguments& arguments);
  std::vector<Value> elements(const Value& iterable);  // list(iterable); a generator is used up
  std::optional<Value> next_element(LoopSource& source);
  std::int64_t loop_length(Loop& loop);
  const std::optional<Value>& peek(Loop& loop);

 private:
  enum class Flow { go_on, leave, next };

  Flow run_body(const Body& body, TextBuilder& out);
  Flow run_statement(const Statement& statement, TextBuilder& out);
  Flow run_conditional(const Statement& statement, TextBuilder& out);
  Flow run_scoped(const Body& body, TextBuilder& out);
  void run_output(const Statement& statement, TextBuilder& out);
  void run_for(const Statement& statement, TextBuilder& out);
  void run_set_block(const Statement& statement);
  void run_filter_block(const Statement& statement, TextBuilder& out);
  void run_call_block(const Statement& statement, TextBuilder& out);
  void run_with(const Statement& statement, TextBuilder& out);
  void run_generation(const Statement& statement, TextBuilder& out);
  void define_macro(const Statement& statement);
  void print(const Value& value, TextBuilder& out);
  Value captured(const Body& body);  // what it prints, in a scope of its own
  void assign(const Expression& target, const Value& value);
  void assign_parts(const Expression& target, const Value& value);
  void assign_attribute(const Expression& target, const Value& value);

  void loop_over(Loop& loop, const Statement& statement, TextBuilder& out);
  Value call_macro(const Callable& macro, Arguments& arguments);
  void bind_parameters(const Statement& macro, Arguments& arguments);
  Value call_loop(Loop& loop, Arguments& arguments);

  Value evaluate(const Expression& expression);
  Value evaluate_known(const Expression& expression);
  Value look_up(const std::string* symbol);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_call(const Expression& expression, const Value* caller);
  Value evaluate_filter(const Expression& expression, const Value* body);
  Value evaluate_test(const Expression& expression);
  Value evaluate_compare(const Expression& expression);
  Value evaluate_concat(const Expression& expression);
  Value evaluate_choice(const Expression& expression);
  std::vector<Value> evaluate_parts(const Expression& expression);
  void fill_arguments(const CallArguments& call, Arguments& arguments);

  class StackGuard;
  class ScopeGuard;
  class DepthGuard;

  const TemplateSource& source_;
  Heap heap_;
  Clock clock_;
  std::unordered_map<std::string, Value> variables_;  // given, or globals
  Scope* scope_ = nullptr;
  Scope* root_ = nullptr;
  TextBuilder* output_ = nullptr;  // of the whole template
  std::vector<ByteRange>* generated_ = nullptr;
  int line_ = 1;
  int stack_ = 0;
  int depth_ = 0;
};

}  // namespace plumb::jinja
