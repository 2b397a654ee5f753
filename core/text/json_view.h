// A place in a parsed JSON document, with typed reads whose errors name it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json.h"

namespace plumb::text {

class JsonView {
 public:
  JsonView(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const std::string& where() const { return where_; }  // "tokenizer.json: model.merges[3]"
  const Json& json() const { return *value_; }
  [[noreturn]] void fail(const std::string& rule) const;

  bool has(std::string_view key) const;             // present and not null
  JsonView operator[](std::string_view key) const;  // Error when missing
  std::vector<JsonView> items() const;              // of an array; Error otherwise
  std::string string() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t low, std::int64_t high) const;
  char32_t character() const;  // a string of exactly one character

  std::string string_or(std::string_view key, const std::string& fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string type() const { return (*this)["type"].string(); }

 private:
  const Json* value_;
  std::string where_;
};

}  // namespace plumb::text
