// What one rendering may cost, and the error for what is over it or wrong. A template comes from a
// stranger's folder: nothing in it may hang, crash or fill the machine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"

namespace plumb::jinja {

struct Limits {
  std::size_t max_source_bytes = std::size_t{1} << 20;
  int max_nesting = 200;                                 // of the syntax: parentheses, statements
  std::int64_t max_steps = 5'000'000;                    // nodes evaluated
  int max_depth = 64;                                    // macros within macros, loops that recurse
  int max_stack = 1500;                                  // evaluations within evaluations
  int max_value_depth = 100;                             // lists in lists, when walked
  std::size_t max_output_bytes = std::size_t{16} << 20;  // also of any one string
  std::size_t max_work_bytes = std::size_t{256} << 20;   // of all strings and lists made
  std::int64_t max_range = 100'000;                      // items, as Jinja's sandbox has it
};

// What is wrong, without the place; whoever knows the place makes an Error of it.
struct Fault {
  std::string message;
};

// what() names the template and the line; `rule` is the message alone, as jinja2 words it where it
// has the same error.
struct TemplateError : Error {
  TemplateError(const std::string& name, int line_number, const std::string& message)
      : Error(name + ", line " + std::to_string(line_number) + ": " + message),
        rule(message),
        line(line_number) {}
  std::string rule;
  int line;
};

}  // namespace plumb::jinja
