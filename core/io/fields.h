// A field is written once (DESIGN.md 12). An option group is a plain struct with defaults and
//
//   template <class Visitor> void fields(Visitor& v) {
//     v("rank", rank, "rank R of the low-rank update; 0 trains all weights", at_least(0));
//     v("data", data, "where samples come from");  // a nested group: a struct with fields() itself
//   }
//
// From that list come: reading YAML, `key=value` overrides, the resolved recipe.yaml, the commented
// recipe of `plumb recipe JOB`, and help. Field types: bool, int64_t, double, std::string,
// std::vector<std::string>, std::vector<double>, std::vector<int64_t>, std::optional of a scalar
// (YAML null = unset), nested groups, std::vector of groups. The visitors live in recipe_io.h.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace plumb {

// What a value must satisfy beyond its type; checked when it is read, named in the error and in
// help. A default is its author's business: a value that changes nothing is not checked, so a
// resolved recipe always reads back.
struct Rule {
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool exclusive_minimum = false;
  bool required = false;                 // must be given (non-empty); asked for by check_required
  std::vector<std::string> one_of = {};  // allowed words (of each element, in a list)
};

inline Rule at_least(double minimum) {
  return {.minimum = minimum};
}
inline Rule above(double minimum) {
  return {.minimum = minimum, .exclusive_minimum = true};
}
inline Rule between(double minimum, double maximum) {
  return {.minimum = minimum, .maximum = maximum};
}
inline Rule required() {
  return {.required = true};
}
inline Rule one_of(std::vector<std::string> words) {
  return {.one_of = std::move(words)};
}

}  // namespace plumb
