// Typed reading of the keys of a JSON config. null counts as not given. Errors name the file, the
// key, the rule and the value.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "core/io/json.h"

namespace plumb {

class ConfigValues {
 public:
  // `prefix` is put before keys in errors ("rope_scaling."). Throws unless `json` is a map.
  ConfigValues(const Json& json, std::string source, std::string prefix = "");

  const std::string& source() const { return source_; }
  bool has(const char* key) const;          // given and not null
  const Json* find(const char* key) const;  // nullptr when not given; may point to null

  std::int64_t integer(const char* key) const;  // must be given
  std::int64_t integer(const char* key, std::int64_t otherwise) const;
  double number(const char* key) const;  // must be given; an integer is taken too
  double number(const char* key, double otherwise) const;
  bool boolean(const char* key, bool otherwise) const;
  std::string string(const char* key, const std::string& otherwise) const;

  // A token id from 0 on; a list where `ids` is asked for. null: none. Not given: `otherwise`.
  std::optional<std::int32_t> id(const char* key, std::optional<std::int32_t> otherwise) const;
  std::set<std::int32_t> ids(const char* key, const std::set<std::int32_t>& otherwise) const;

  [[noreturn]] void fail(const char* key, const std::string& rule) const;  // adds the value

 private:
  const Json& must(const char* key) const;

  const Json& json_;
  std::string source_;
  std::string prefix_;
};

}  // namespace plumb
