// A chat template of the Jinja language, run by an engine of our own that loads no code. What it
// renders equals jinja2 3.1.6 in the sandbox that transformers 5.23 sets up (trim_blocks,
// lstrip_blocks, loopcontrols, {% generation %}, tojson, raise_exception, strftime_now), within
// limits.h. Not supported, each with an error that says so: integers beyond 64 bits, autoescape,
// other templates (include, import, extends), and the filters pprint, random, urlize, wordwrap and
// xmlattr.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/json.h"
#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

// A variable of the template, and whose text its strings are.
struct Variable {
  std::string name;
  const Json* value = nullptr;
  Origin origin = kInput;
  bool counts_elements = false;         // a list: element i has origin i + 1 instead
  std::size_t max_elements = SIZE_MAX;  // of such a list
  // Of the members of its elements: those that count as the template's own text. May be null.
  bool (*is_trusted)(std::string_view key, const Json& value) = nullptr;
};

struct Rendering {
  TracedText text;
  std::vector<ByteRange> generated;  // of {% generation %} blocks, in order
};

class Template {
 public:
  // `name` stands for it in errors. Throws TemplateError.
  static Template parse(std::string_view text, const std::string& name, const Limits& limits = {});

  // Throws TemplateError: of the template's own raise_exception too. `clock` gives strftime_now
  // its time.
  Rendering render(const std::vector<Variable>& variables, const Clock& clock) const;
  Rendering render(const std::vector<Variable>& variables) const;  // with the time of day

  bool mentions(std::string_view name) const;  // whether it uses a name of this spelling

 private:
  Template(std::shared_ptr<const TemplateSource> source, const Limits& limits)
      : source_(std::move(source)), limits_(limits) {}
  std::shared_ptr<const TemplateSource> source_;
  Limits limits_;
};

std::tm local_time();

}  // namespace plumb::jinja
