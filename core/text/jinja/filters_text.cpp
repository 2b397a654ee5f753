#include <algorithm>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/escape.h"
#include "core/text/jinja/filters.h"
#include "core/text/jinja/format.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"
#include "core/text/jinja/text_tools.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

const TracedText& text_of(Interpreter& in, const Value& value) {
  return *to_text(in.heap(), value).string;
}

Value upper(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("upper", arguments, {});
  return map_text(in.heap(), text_of(in, value), to_upper);
}

Value lower(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("lower", arguments, {});
  return map_text(in.heap(), text_of(in, value), to_lower);
}

Value capitalize_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("capitalize", arguments, {});
  return capitalize(in.heap(), text_of(in, value));
}

// Words begin after space, hyphens and opening brackets, not after apostrophes as in str.title.
Value title(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("title", arguments, {});
  const auto is_word = [](char32_t code) {
    const bool opens = code == '-' || code == '(' || code == '{' || code == '[' || code == '<';
    return !opens && !is_space(code);
  };
  return map_words(in.heap(), text_of(in, value), is_word,
                   [](std::string_view character, bool is_first) {
                     return is_first ? to_upper(character) : to_lower(character);
                   });
}

Value trim(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const bool has_chars = bound.has(0) && !bound.at(0).is(Kind::none);
  return strip(in.heap(), text_of(in, value), has_chars ? &bound.text(0) : nullptr, Sides::both);
}

Value replace_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const bool has_count = bound.has(2) && !bound.at(2).is(Kind::none);
  return replace(in.heap(), text_of(in, value), text_of(in, bound.at(0)), text_of(in, bound.at(1)),
                 has_count ? bound.integer(2, -1) : -1);
}

Value string_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return value.is_string() ? value : to_text(in.heap(), value);
}

Value escape_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  if (value.is_string() && value.string->is_markup) return value;
  TextBuilder out;
  append_escaped(text_of(in, value), out);
  return in.heap().markup(in.heap().text(out));
}

Value force_escape(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  TextBuilder out;
  append_escaped(text_of(in, value), out);
  return in.heap().markup(in.heap().text(out));
}

Value safe(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  return in.heap().markup(to_text(in.heap(), value));
}

Value indent(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  Heap& heap = in.heap();
  if (value.is_undefined()) throw Fault{value.undefined->message};
  if (!value.is_string()) throw Fault{"indent works on text, not on " + type_name(value)};
  const bool is_text = bound.has(0) && bound.at(0).is_string();
  const std::int64_t width = is_text ? 0 : bound.integer(0, 4);
  heap.check_size(1, static_cast<std::size_t>(std::max<std::int64_t>(width, 0)));
  const Value space =
      is_text
          ? bound.at(0)
          : heap.text(std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' '));
  TextBuilder ended;
  ended.append(*value.string);
  ended.append("\n", kTemplate);
  const std::vector<Value> lines = split_lines(heap, *heap.text(ended).string, false);
  TextBuilder out;
  if (bound.truth(1, false)) out.append(*space.string);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", kTemplate);
    const bool is_indented = i > 0 && (bound.truth(2, false) || !lines[i].view().empty());
    if (is_indented) out.append(*space.string);
    out.append(*lines[i].string);
    heap.check_size(out.size());
  }
  return heap.text(out);
}

Value center(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("center", arguments, {"width"});
  return pad_text(in.heap(), text_of(in, value), bound.integer(0, 80), " ", 'c');
}

Value format_filter(Interpreter& in, const Value& value, Arguments& arguments) {
  Heap& heap = in.heap();
  if (!arguments.values.empty() && !arguments.named.empty()) {
    throw Fault{"can't handle positional and keyword arguments at the same time"};
  }
  const TracedText& format = text_of(in, value);
  if (arguments.named.empty()) return format_percent(in, format, heap.tuple(arguments.values));
  const Value named = heap.dict();
  for (const auto& [name, argument] : arguments.named) {
    set_item(heap, *named.dict, heap.text(name), argument);
  }
  return format_percent(in, format, named);
}

Value word_count(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("wordcount", arguments, {});
  const std::string& text = text_of(in, value).bytes;
  std::int64_t count = 0;
  bool was_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const text::DecodedChar c = text::decode_char(text, at);
    const bool is_word = is_alpha(c.code) || is_numeric(c.code) || c.code == '_';
    count += is_word && !was_word ? 1 : 0;
    was_word = is_word;
    at += static_cast<std::size_t>(c.length);
  }
  return Value::of(count);
}

Value truncate(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  Heap& heap = in.heap();
  if (!value.is_string()) throw Fault{"truncate works on text, not on " + type_name(value)};
  const Value end = bound.has(2) ? to_text(heap, bound.at(2)) : heap.text("...");
  const std::int64_t length = bound.integer(0, 255);
  const bool has_leeway = bound.has(3) && !bound.at(3).is(Kind::none);
  const std::int64_t leeway = has_leeway ? bound.integer(3, 5) : 5;
  if (length < end.string->length || leeway < 0) {
    throw Fault{"truncate's length must be at least that of its end, and leeway at least 0"};
  }
  if (value.string->length <= length + leeway) return value;
  const Value cut = slice(heap, value, {}, Value::of(length - end.string->length), {});
  Value kept = cut;
  if (!bound.truth(1, false)) {
    const std::size_t space = cut.view().rfind(' ');
    if (space != std::string_view::npos) kept = heap.part(*cut.string, 0, space);
  }
  return apply_binary(in, Operator::add, kept, end);
}

// RFC 3986's unreserved characters stay, and '/' outside of queries.
void append_quoted(const TracedText& text, bool is_query, TextBuilder& out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  OriginCursor origin(text);
  for (std::size_t i = 0; i < text.bytes.size(); ++i) {
    const char c = text.bytes[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool is_kept =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
        std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !is_query);
    if (is_kept) {
      out.append(std::string_view(&text.bytes[i], 1), origin.at(i));
    } else if (c == ' ' && is_query) {
      out.append("+", origin.at(i));
    } else {
      const char quoted[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
      out.append(std::string_view(quoted, 3), origin.at(i));
    }
  }
}

Value url_encode(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("urlencode", arguments, {});
  TextBuilder out;
  const bool is_mapping = value.is(Kind::dict);
  if (!is_mapping && !value.is(Kind::sequence)) {
    append_quoted(text_of(in, value), false, out);
    return in.heap().text(out);
  }
  const std::vector<Value> items =
      is_mapping ? dict_items(in.heap(), *value.dict) : in.elements(value);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<Value> pair = in.elements(items[i]);
    if (pair.size() != 2) throw Fault{"urlencode wants pairs of a name and a value"};
    if (i > 0) out.append("&", kTemplate);
    append_quoted(text_of(in, pair[0]), true, out);
    out.append("=", kTemplate);
    append_quoted(text_of(in, pair[1]), true, out);
  }
  return in.heap().text(out);
}

Value striptags(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("striptags", arguments, {});
  const TracedText& text = text_of(in, value);
  TextBuilder out;
  std::size_t at = 0;
  while (at < text.bytes.size()) {
    const std::size_t tag = text.bytes.find('<', at);
    const bool is_comment = text.bytes.compare(std::min(tag, text.bytes.size()), 4, "<!--") == 0;
    const std::size_t end = text.bytes.find(is_comment ? "-->" : ">", tag);
    if (tag == std::string::npos || end == std::string::npos) break;
    out.append(text, at, tag);
    at = end + (is_comment ? 3 : 1);
  }
  out.append(text, at, text.bytes.size());
  const Value rest = in.heap().text(out);
  return join(in.heap(), *in.heap().text(" ").string, split(in.heap(), *rest.string, nullptr, -1));
}

Value to_json(Interpreter& in, const Value& value, Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.is_ascii = bound.truth(0, false);
  style.sorts_keys = bound.truth(3, false);
  if (bound.has(1) && !bound.at(1).is(Kind::none)) {
    const bool is_text = bound.at(1).is_string();
    const std::int64_t width = is_text ? 0 : std::max<std::int64_t>(bound.integer(1, 0), 0);
    in.heap().check_size(1, static_cast<std::size_t>(width));
    style.indent =
        is_text ? bound.text(1).bytes : std::string(static_cast<std::size_t>(width), ' ');
    style.item_separator = ",";
  }
  if (bound.has(2) && !bound.at(2).is(Kind::none)) {
    const std::vector<Value> separators = in.elements(bound.at(2));
    const bool is_pair =
        separators.size() == 2 && separators[0].is_string() && separators[1].is_string();
    if (!is_pair) throw Fault{"separators must be a pair of strings"};
    style.item_separator = separators[0].view();
    style.key_separator = separators[1].view();
  }
  TextBuilder out;
  print_json(in.heap(), value, style, out);
  return in.heap().text(out);
}

constexpr NamedFunction kFilters[] = {
    {"capitalize", capitalize_filter},
    {"center", center},
    {"e", escape_filter},
    {"escape", escape_filter},
    {"forceescape", force_escape},
    {"format", format_filter},
    {"indent", indent},
    {"lower", lower},
    {"replace", replace_filter},
    {"safe", safe},
    {"string", string_filter},
    {"striptags", striptags},
    {"title", title},
    {"tojson", to_json},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", upper},
    {"urlencode", url_encode},
    {"wordcount", word_count},
};

}  // namespace

std::span<const NamedFunction> text_filters() {
  return kFilters;
}

}  // namespace plumb::jinja
