// The tokens of a template, as jinja2 3.1.6 finds them with trim_blocks and lstrip_blocks, which is
// how transformers reads chat templates.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/jinja/limits.h"

namespace plumb::jinja {

enum class TokenType : std::uint8_t {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  real,
  op,
  end,
};

struct Token {
  TokenType type = TokenType::end;
  int line = 1;
  std::string text;  // data and strings as they are meant, names, operators
  std::int64_t integer = 0;
  double real = 0;

  bool is_op(std::string_view op) const { return type == TokenType::op && text == op; }
  bool is_name(std::string_view name) const { return type == TokenType::name && text == name; }
};

// All tokens, with `end` last. Throws TemplateError that names `name` and the line.
std::vector<Token> read_tokens(std::string_view source, const std::string& name);

}  // namespace plumb::jinja
