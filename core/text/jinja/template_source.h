// A template, parsed: what the interpreter runs. Immutable; any number of threads may run one.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/text/jinja/ast.h"
#include "core/text/jinja/limits.h"

namespace plumb::jinja {

struct TemplateSource {
  std::string name;  // for errors
  Body body;
  std::unordered_set<std::string> symbols;  // names, each once, so that they compare by address
  std::deque<TracedText> constants;

  const std::string* intern(std::string_view text) { return &*symbols.emplace(text).first; }
};

// Throws TemplateError.
std::shared_ptr<const TemplateSource> parse_template(std::string_view text, const std::string& name,
                                                     const Limits& limits);

}  // namespace plumb::jinja
