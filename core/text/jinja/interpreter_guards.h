// What the interpreter's parts set for a while and take back, whatever is thrown.
#pragma once
#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

class Interpreter::StackGuard {
 public:
  explicit StackGuard(Interpreter& interpreter) : interpreter_(interpreter) {
    interpreter_.heap_.step();
    if (++interpreter_.stack_ > interpreter_.heap_.limits().max_stack) {
      throw Fault{"evaluations nest deeper than the limit of " +
                  std::to_string(interpreter_.heap_.limits().max_stack)};
    }
  }
  ~StackGuard() { --interpreter_.stack_; }
  StackGuard(const StackGuard&) = delete;
  StackGuard& operator=(const StackGuard&) = delete;

 private:
  Interpreter& interpreter_;
};

class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, Scope* scope)
      : interpreter_(interpreter), before_(interpreter.scope_) {
    interpreter_.scope_ = scope;
  }
  ~ScopeGuard() { interpreter_.scope_ = before_; }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter& interpreter_;
  Scope* before_;
};

class Interpreter::DepthGuard {
 public:
  explicit DepthGuard(Interpreter& interpreter) : interpreter_(interpreter) {
    if (++interpreter_.depth_ > interpreter_.heap_.limits().max_depth) {
      throw Fault{"macros and recursive loops call each other deeper than the limit of " +
                  std::to_string(interpreter_.heap_.limits().max_depth)};
    }
  }
  ~DepthGuard() { --interpreter_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Interpreter& interpreter_;
};

}  // namespace plumb::jinja
