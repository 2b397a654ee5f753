#include "core/io/config_values.h"

#include <limits>
#include <utility>

#include "core/error.h"

namespace plumb {
namespace {

std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 120;
  const std::string text = value.dump();
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

}  // namespace

ConfigValues::ConfigValues(const Json& json, std::string source, std::string prefix)
    : json_(json), source_(std::move(source)), prefix_(std::move(prefix)) {
  if (!json.is_object()) {
    const std::string what = prefix_.empty() ? "" : prefix_.substr(0, prefix_.size() - 1) + " ";
    throw Error(source_ + ": " + what + "must be a JSON object, not " + shown(json));
  }
}

const Json* ConfigValues::find(const char* key) const {
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

bool ConfigValues::has(const char* key) const {
  const Json* value = find(key);
  return value != nullptr && !value->is_null();
}

void ConfigValues::fail(const char* key, const std::string& rule) const {
  const Json* value = find(key);
  const std::string received = value == nullptr ? "it is missing" : "it is " + shown(*value);
  throw Error(source_ + ": " + prefix_ + key + " " + rule + "; " + received);
}

const Json& ConfigValues::must(const char* key) const {
  if (!has(key)) fail(key, "must be given");
  return *find(key);
}

std::int64_t ConfigValues::integer(const char* key) const {
  const Json& value = must(key);
  const bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (!fits) fail(key, "must be a whole number");
  return value.get<std::int64_t>();
}

std::int64_t ConfigValues::integer(const char* key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

double ConfigValues::number(const char* key) const {
  const Json& value = must(key);
  if (!value.is_number()) fail(key, "must be a number");
  return value.get<double>();
}

double ConfigValues::number(const char* key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}

bool ConfigValues::boolean(const char* key, bool otherwise) const {
  if (!has(key)) return otherwise;
  if (!find(key)->is_boolean()) fail(key, "must be true or false");
  return find(key)->get<bool>();
}

std::string ConfigValues::string(const char* key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  if (!find(key)->is_string()) fail(key, "must be a string");
  return find(key)->get<std::string>();
}

std::optional<std::int32_t> ConfigValues::id(const char* key,
                                             std::optional<std::int32_t> otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->is_null()) return std::nullopt;
  const std::int64_t id = integer(key);
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) {
    fail(key, "must be a token id from 0 on");
  }
  return static_cast<std::int32_t>(id);
}

std::set<std::int32_t> ConfigValues::ids(const char* key,
                                         const std::set<std::int32_t>& otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_array()) {
    const auto one = id(key, std::nullopt);
    return one ? std::set<std::int32_t>{*one} : std::set<std::int32_t>{};
  }
  std::set<std::int32_t> ids;
  for (const Json& element : *value) {
    const bool is_id = element.is_number_integer() && element >= 0 &&
                       element <= std::numeric_limits<std::int32_t>::max();
    if (!is_id) fail(key, "must be a token id from 0 on, or a list of them");
    ids.insert(element.get<std::int32_t>());
  }
  return ids;
}

}  // namespace plumb
