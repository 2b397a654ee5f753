#include "core/text/json_view.h"

#include "core/error.h"
#include "core/text/unicode.h"

namespace plumb::text {

void JsonView::fail(const std::string& rule) const {
  std::string got = value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (got.size() > 80) got = got.substr(0, 80) + "...";
  throw Error(where_ + ": " + rule + ", got " + got);
}

bool JsonView::has(std::string_view key) const {
  if (!value_->is_object()) return false;
  const auto found = value_->find(std::string(key));
  return found != value_->end() && !found->is_null();
}

JsonView JsonView::operator[](std::string_view key) const {
  if (!value_->is_object()) fail("expected an object");
  const auto found = value_->find(std::string(key));
  if (found == value_->end())
    throw Error(where_ + ": the key '" + std::string(key) + "' is missing");
  const bool is_root = !where_.empty() && where_.back() == ' ';
  return {*found, where_ + (is_root ? "" : ".") + std::string(key)};
}

std::vector<JsonView> JsonView::items() const {
  if (!value_->is_array()) fail("expected a list");
  std::vector<JsonView> views;
  views.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i) {
    views.emplace_back((*value_)[i], where_ + "[" + std::to_string(i) + "]");
  }
  return views;
}

std::string JsonView::string() const {
  if (!value_->is_string()) fail("expected a string");
  return value_->get<std::string>();
}

bool JsonView::boolean() const {
  if (!value_->is_boolean()) fail("expected true or false");
  return value_->get<bool>();
}

std::int64_t JsonView::integer(std::int64_t low, std::int64_t high) const {
  const std::string rule =
      "expected a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  if (!value_->is_number_integer()) fail(rule);
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    fail(rule);
  }
  const auto number = value_->get<std::int64_t>();
  if (number < low || number > high) fail(rule);
  return number;
}

char32_t JsonView::character() const {
  const std::string text = string();
  if (!text.empty()) {
    const DecodedChar c = decode_char(text, 0);
    if (static_cast<std::size_t>(c.length) == text.size()) return c.code;
  }
  fail("expected one character");
}

std::string JsonView::string_or(std::string_view key, const std::string& fallback) const {
  return has(key) ? (*this)[key].string() : fallback;
}

bool JsonView::boolean_or(std::string_view key, bool fallback) const {
  return has(key) ? (*this)[key].boolean() : fallback;
}

}  // namespace plumb::text
