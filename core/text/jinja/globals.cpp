// Functions that every template sees.
#include <ctime>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

namespace {

Value range(Interpreter& in, const Value&, Arguments& arguments) {
  const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
  const bool has_stop = bound.has(1);
  const std::int64_t start = has_stop ? bound.integer(0, 0) : 0;
  const std::int64_t stop = bound.integer(has_stop ? 1 : 0, 0), step = bound.integer(2, 1);
  if (step == 0) throw Fault{"range() arg 3 must not be zero"};
  const auto span = static_cast<unsigned __int128>(step > 0 ? static_cast<__int128>(stop) - start
                                                            : static_cast<__int128>(start) - stop);
  const auto size = static_cast<unsigned __int128>(step > 0 ? static_cast<__int128>(step)
                                                            : -static_cast<__int128>(step));
  const bool is_empty = step > 0 ? stop <= start : stop >= start;
  const unsigned __int128 count = is_empty ? 0 : (span + size - 1) / size;
  const auto limit = in.heap().limits().max_range;
  if (count > static_cast<unsigned __int128>(limit)) {
    throw Fault{"Range too big. The sandbox blocks ranges larger than MAX_RANGE (" +
                std::to_string(limit) + ")."};
  }
  std::vector<Value> elements;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) {
    elements.push_back(Value::of(start + i * step));
  }
  const Value out = in.heap().sequence(SequenceType::range, std::move(elements));
  out.sequence->printed = "range(" + std::to_string(start) + ", " + std::to_string(stop) +
                          (step == 1 ? "" : ", " + std::to_string(step)) + ")";
  return out;
}

// dict(mapping or pairs, **named).
Value make_dict(Interpreter& in, const Value&, Arguments& arguments) {
  Heap& heap = in.heap();
  if (arguments.values.size() > 1) throw Fault{"dict expected at most 1 argument"};
  const Value out = heap.dict();
  if (!arguments.values.empty()) {
    const Value& given = arguments.values.front();
    const std::vector<Value> pairs =
        given.is(Kind::dict) ? dict_items(heap, *given.dict) : in.elements(given);
    for (const Value& pair : pairs) {
      const std::vector<Value> parts = in.elements(pair);
      if (parts.size() != 2) {
        throw Fault{"dictionary update sequence element has length " +
                    std::to_string(parts.size()) + "; 2 is required"};
      }
      set_item(heap, *out.dict, parts[0], parts[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) {
    set_item(heap, *out.dict, heap.text(name), value);
  }
  return out;
}

Value make_namespace(Interpreter& in, const Value& self, Arguments& arguments) {
  const Value dict = make_dict(in, self, arguments);
  std::vector<std::pair<std::string, Value>> attributes;
  for (const auto& [name, value] : dict.dict->entries) {
    if (!name.is_string()) continue;
    if (name.view().starts_with('_')) {
      throw Fault{
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '" +
          std::string(name.view()) + "'. Please rename the attribute."};
    }
    attributes.emplace_back(name.view(), value);
  }
  return in.heap().name_space(std::move(attributes));
}

Value raise_exception(Interpreter& in, const Value&, Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  throw Fault{std::string(to_text(in.heap(), bound.at(0)).view())};
}

Value strftime_now(Interpreter& in, const Value&, Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  const std::string& format = bound.text(0).bytes;
  if (format.size() > 1024) throw Fault{"the format of strftime_now is too long"};
  const std::tm now = in.now();
  char text[4096];
  // An empty result and one that does not fit look the same; a mark tells them apart.
  const std::size_t size = std::strftime(text, sizeof(text), (format + "|").c_str(), &now);
  if (size == 0) throw Fault{"strftime_now: the text is too long"};
  return in.heap().text(std::string_view(text, size - 1));
}

Value joiner(Interpreter& in, const Value&, Arguments& arguments) {
  const Bound bound("joiner", arguments, {"sep"});
  const Value separator = bound.has(0) ? bound.at(0) : in.heap().text(", ");
  const Value state = in.heap().name_space({{"separator", separator}, {"used", Value::of(false)}});
  return in.heap().callable({.name = "joiner",
                             .function =
                                 [](Interpreter& inner, const Value& self, Arguments&) {
                                   auto& attributes = self.name_space->attributes;
                                   const bool was_used = attributes[1].second.boolean;
                                   attributes[1].second = Value::of(true);
                                   return was_used ? attributes[0].second : inner.heap().text("");
                                 },
                             .macro = nullptr,
                             .scope = nullptr,
                             .self = state,
                             .state = 0,
                             .type = "Joiner"});
}

}  // namespace

std::vector<std::pair<std::string_view, Function>> global_functions() {
  return {{"range", range},
          {"dict", make_dict},
          {"namespace", make_namespace},
          {"raise_exception", raise_exception},
          {"strftime_now", strftime_now},
          {"joiner", joiner}};
}

}  // namespace plumb::jinja
