#include <algorithm>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"
#include "core/text/jinja/text_tools.h"

namespace plumb::jinja {

namespace {

Value generator(Interpreter& in, std::vector<Value> elements) {
  return in.heap().sequence(SequenceType::generator, std::move(elements));
}

Value length(Interpreter&, const Value& value, Arguments& arguments) {
  const Bound bound("length", arguments, {});
  const auto count = length_of(value);
  if (!count) throw Fault{"object of type '" + type_name(value) + "' has no len()"};
  return Value::of(*count);
}

Value list(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return in.heap().list(in.elements(value));
}

Value join_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  Heap& heap = in.heap();
  const Value separator = bound.has(0) ? to_text(heap, bound.at(0)) : heap.text("");
  const AttributeGetter getter(in, bound.find(1));
  std::vector<Value> texts;
  for (const Value& element : in.elements(value)) {
    texts.push_back(to_text(heap, getter(element)));
  }
  return join(heap, *separator.string, texts);
}

Value first(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("first", arguments, {});
  if (value.is(Kind::sequence) && value.sequence->type == SequenceType::generator) {
    Sequence& sequence = *value.sequence;
    if (sequence.begin < sequence.elements.size()) return sequence.elements[sequence.begin++];
  } else if (value.is_string() && !value.view().empty()) {
    return in.heap().part(*value.string, 0, char_bytes(value.view(), 0));
  } else {
    const std::vector<Value> elements = in.elements(value);
    if (!elements.empty()) return elements.front();
  }
  return in.heap().undefined("No first item, sequence was empty.");
}

Value last(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (value.is(Kind::sequence) && value.sequence->type == SequenceType::generator) {
    throw Fault{"'generator' object is not reversible"};
  }
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (value.is_string() && !value.view().empty()) {
    const std::string_view text = value.view();
    return in.heap().part(*value.string, text.size() - char_bytes_before(text, text.size()),
                          text.size());
  }
  const std::vector<Value> elements = in.elements(value);
  if (!elements.empty()) return elements.back();
  return in.heap().undefined("No last item, sequence was empty.");
}

Value reverse(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (value.is_string()) {
    return slice(in.heap(), value, {}, {}, Value::of(std::int64_t{-1}));
  }
  std::vector<Value> elements = in.elements(value);
  std::reverse(elements.begin(), elements.end());
  return generator(in, std::move(elements));
}

// Elements in the order of their keys, which `key` makes.
template <class Key>
std::vector<Value> sorted(Interpreter& in, std::vector<Value> elements, bool is_reversed,
                          const Key& key) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& element : elements) keyed.emplace_back(key(element), element);
  in.heap().charge(keyed.size() * sizeof(keyed[0]));
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return is_reversed ? less(in.heap(), b.first, a.first) : less(in.heap(), a.first, b.first);
  });
  std::transform(keyed.begin(), keyed.end(), elements.begin(),
                 [](const auto& pair) { return pair.second; });
  return elements;
}

Value sort(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool ignores_case = !bound.truth(1, false);
  std::vector<AttributeGetter> getters;
  const Value* attribute = bound.find(2);
  if (attribute && attribute->is_string()) {
    const Value comma = in.heap().text(",");
    for (const Value& part : split(in.heap(), *attribute->string, comma.string, -1)) {
      getters.emplace_back(in, &part, nullptr, ignores_case);
    }
  } else {
    getters.emplace_back(in, attribute, nullptr, ignores_case);
  }
  const auto key = [&](const Value& element) {
    std::vector<Value> parts;
    for (const AttributeGetter& getter : getters) parts.push_back(getter(element));
    return in.heap().list(std::move(parts));
  };
  return in.heap().list(sorted(in, in.elements(value), bound.truth(0, false), key));
}

Value dict_sort(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (!value.is(Kind::dict)) {
    throw Fault{"'" + type_name(value) + "' object has no attribute 'items'"};
  }
  const std::string by = bound.has(1) ? bound.text(1).bytes : "key";
  if (by != "key" && by != "value") throw Fault{"You can only sort by either \"key\" or \"value\""};
  const auto key = [&](const Value& pair) {
    const Value part = pair.sequence->elements[by == "key" ? 0 : 1];
    return bound.truth(0, false) ? part : without_case(in.heap(), part);
  };
  return in.heap().list(sorted(in, dict_items(in.heap(), *value.dict), bound.truth(2, false), key));
}

Value items(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("items", arguments, {});
  if (value.is_undefined()) return generator(in, {});
  if (!value.is(Kind::dict)) throw Fault{"Can only get item pairs from a mapping."};
  return generator(in, dict_items(in.heap(), *value.dict));
}

Value unique(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const AttributeGetter getter(in, bound.find(1), nullptr, !bound.truth(0, false));
  const Value seen = in.heap().dict();
  std::vector<Value> out;
  for (const Value& element : in.elements(value)) {
    const Value key = getter(element);
    check_hashable(key);
    if (find_item(in.heap(), *seen.dict, key)) continue;
    set_item(in.heap(), *seen.dict, key, {});
    out.push_back(element);
  }
  return generator(in, std::move(out));
}

template <bool wants_max>
Value extreme(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("min", arguments, {"case_sensitive", "attribute"});
  const AttributeGetter getter(in, bound.find(1), nullptr, !bound.truth(0, false));
  const std::vector<Value> elements = in.elements(value);
  if (elements.empty()) return in.heap().undefined("No aggregated item, sequence was empty.");
  Value best = elements.front(), best_key = getter(best);
  for (std::size_t i = 1; i < elements.size(); ++i) {
    const Value key = getter(elements[i]);
    const bool is_better =
        wants_max ? less(in.heap(), best_key, key) : less(in.heap(), key, best_key);
    if (!is_better) continue;
    best = elements[i];
    best_key = key;
  }
  return best;
}

Value sum(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  const AttributeGetter getter(in, bound.find(0));
  Value total = bound.has(1) ? bound.at(1) : Value::of(std::int64_t{0});
  if (total.is_string()) throw Fault{"sum() can't sum strings [use ''.join(seq) instead]"};
  for (const Value& element : in.elements(value)) {
    total = apply_binary(in, Operator::add, total, getter(element));
  }
  return total;
}

std::size_t count_argument(const Bound& bound, std::size_t index) {
  const std::int64_t count = bound.integer(index, 0);
  if (count < 1) throw Fault{"the number of parts must be at least 1"};
  return static_cast<std::size_t>(count);
}

Value batch(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::size_t size = count_argument(bound, 0);
  in.heap().check_size(sizeof(Value), bound.has(1) ? size : 1);
  std::vector<Value> out, row;
  for (const Value& element : in.elements(value)) {
    if (row.size() == size) out.push_back(in.heap().list(std::exchange(row, {})));
    row.push_back(element);
  }
  if (row.empty()) return generator(in, std::move(out));
  const bool fills = bound.has(1) && !bound.at(1).is(Kind::none);
  if (fills) row.resize(size, bound.at(1));
  out.push_back(in.heap().list(std::move(row)));
  return generator(in, std::move(out));
}

Value slice_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  const std::size_t slices = count_argument(bound, 0);
  in.heap().check_size(sizeof(Value), slices);
  const std::vector<Value> all = in.elements(value);
  const std::size_t size = all.size() / slices, with_extra = all.size() % slices;
  std::vector<Value> out;
  auto at = all.begin();
  for (std::size_t i = 0; i < slices; ++i) {
    const auto end = at + static_cast<std::ptrdiff_t>(size + (i < with_extra ? 1 : 0));
    std::vector<Value> part(at, end);
    at = end;
    const bool fills = bound.has(1) && !bound.at(1).is(Kind::none) && i >= with_extra;
    if (fills) part.push_back(bound.at(1));
    out.push_back(in.heap().list(std::move(part)));
  }
  return generator(in, std::move(out));
}

Value group_by(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributeGetter key(in, bound.find(0), bound.find(1), !bound.truth(2, false));
  const AttributeGetter shown(in, bound.find(0), bound.find(1));
  std::vector<Value> out, group;
  const auto close = [&] {
    if (group.empty()) return;
    const Value name = bound.truth(2, false) ? key(group.front()) : shown(group.front());
    out.push_back(in.heap().tuple({name, in.heap().list(std::exchange(group, {}))}));
  };
  for (const Value& element : sorted(in, in.elements(value), false, key)) {
    if (!group.empty() && !equal(in.heap(), key(group.back()), key(element))) close();
    group.push_back(element);
  }
  close();
  return in.heap().list(std::move(out));
}

constexpr NamedFunction kFilters[] = {
    {"batch", batch},      {"count", length},       {"dictsort", dict_sort},
    {"first", first},      {"groupby", group_by},   {"items", items},
    {"join", join_filter}, {"last", last},          {"length", length},
    {"list", list},        {"max", extreme<true>},  {"min", extreme<false>},
    {"reverse", reverse},  {"slice", slice_filter}, {"sort", sort},
    {"sum", sum},          {"unique", unique},
};

}  // namespace

Value without_case(Heap& heap, const Value& value) {
  return value.is_string() ? map_text(heap, *value.string, to_lower) : value;
}

AttributeGetter::AttributeGetter(Interpreter& interpreter, const Value* attribute,
                                 const Value* fallback, bool ignores_case)
    : interpreter_(interpreter), fallback_(fallback), ignores_case_(ignores_case) {
  if (fallback_ && fallback_->is(Kind::none)) fallback_ = nullptr;
  if (!attribute || attribute->is(Kind::none)) return;
  if (!attribute->is_string()) {
    parts_ = {*attribute};
    return;
  }
  Heap& heap = interpreter.heap();
  const Value dot = heap.text(".");
  for (const Value& part : split(heap, *attribute->string, dot.string, -1)) {
    const std::string_view text = part.view();
    const bool is_number =
        !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    parts_.push_back(is_number && text.size() < 18
                         ? Value::of(static_cast<std::int64_t>(std::stoll(std::string(text))))
                         : part);
  }
}

Value AttributeGetter::operator()(const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = interpreter_.item(value, part);
    if (fallback_ && value.is_undefined()) value = *fallback_;
  }
  return ignores_case_ ? without_case(interpreter_.heap(), value) : value;
}

std::span<const NamedFunction> sequence_filters() {
  return kFilters;
}

}  // namespace plumb::jinja
