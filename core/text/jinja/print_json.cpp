// json.dumps, as transformers' tojson calls it.
#include <algorithm>
#include <cmath>

#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

std::string unicode_escape(std::uint32_t unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15];
  return out;
}

std::string json_char(char32_t code, std::string_view bytes, bool is_ascii) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      break;
  }
  if (code < 0x20) return unicode_escape(code);
  // Python's pattern for ensure_ascii escapes whatever is not ' ' to '~'.
  if (!is_ascii || (code >= 0x20 && code < 0x7F)) return std::string(bytes);
  if (code < 0x10000) return unicode_escape(code);
  const std::uint32_t rest = code - 0x10000;
  return unicode_escape(0xD800 + (rest >> 10)) + unicode_escape(0xDC00 + (rest & 0x3FF));
}

void json_text(const TracedText& text, bool is_ascii, TextBuilder& out) {
  out.append("\"", kTemplate);
  OriginCursor origin(text);
  for (std::size_t at = 0; at < text.bytes.size();) {
    const text::DecodedChar c = text::decode_char(text.bytes, at);
    const auto size = static_cast<std::size_t>(c.length);
    out.append(json_char(c.code, std::string_view(text.bytes).substr(at, size), is_ascii),
               origin.at(at));
    at += size;
  }
  out.append("\"", kTemplate);
}

std::string json_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return real_text(value);
}

// A key as json.dumps makes it: a string, or the text of a number, a boolean or None.
Value json_key(Heap& heap, const Value& key) {
  switch (key.kind) {
    case Kind::string:
      return key;
    case Kind::none:
      return heap.text("null");
    case Kind::boolean:
      return heap.text(key.boolean ? "true" : "false");
    case Kind::integer:
      return heap.text(std::to_string(key.integer));
    case Kind::real:
      return heap.text(json_real(key.real));
    default:
      throw Fault{"keys must be str, int, float, bool or None, not " + type_name(key)};
  }
}

void new_line(const JsonStyle& style, int depth, TextBuilder& out) {
  if (!style.indent) return;
  out.append("\n", kTemplate);
  for (int i = 0; i < depth; ++i) out.append(*style.indent, kTemplate);
}

void json_list(Heap& heap, const Sequence& sequence, const JsonStyle& style, TextBuilder& out,
               int depth) {
  const bool is_list = sequence.type == SequenceType::list || sequence.type == SequenceType::tuple;
  if (!is_list) {
    throw Fault{"Object of type " + type_name(Value::of(const_cast<Sequence*>(&sequence))) +
                " is not JSON serializable"};
  }
  out.append("[", kTemplate);
  for (std::size_t i = 0; i < sequence.elements.size(); ++i) {
    if (i > 0) out.append(style.item_separator, kTemplate);
    new_line(style, depth + 1, out);
    print_json(heap, sequence.elements[i], style, out, depth + 1);
  }
  if (!sequence.elements.empty()) new_line(style, depth, out);
  out.append("]", kTemplate);
}

void json_dict(Heap& heap, const Dict& dict, const JsonStyle& style, TextBuilder& out, int depth) {
  std::vector<std::pair<Value, Value>> entries = dict.entries;
  heap.charge(entries.size() * sizeof(entries[0]));
  if (style.sorts_keys) {
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const auto& a, const auto& b) { return less(heap, a.first, b.first); });
  }
  out.append("{", kTemplate);
  bool is_first = true;
  for (const auto& [key, value] : entries) {
    if (!is_first) out.append(style.item_separator, kTemplate);
    is_first = false;
    new_line(style, depth + 1, out);
    json_text(*json_key(heap, key).string, style.is_ascii, out);
    out.append(style.key_separator, kTemplate);
    print_json(heap, value, style, out, depth + 1);
  }
  if (!entries.empty()) new_line(style, depth, out);
  out.append("}", kTemplate);
}

}  // namespace

void print_json(Heap& heap, const Value& value, const JsonStyle& style, TextBuilder& out,
                int depth) {
  heap.check_depth(depth);
  heap.step();
  heap.check_size(out.size());
  switch (value.kind) {
    case Kind::none:
      return out.append("null", kTemplate);
    case Kind::boolean:
      return out.append(value.boolean ? "true" : "false", kTemplate);
    case Kind::integer:
      return out.append(std::to_string(value.integer), kTemplate);
    case Kind::real:
      return out.append(json_real(value.real), kTemplate);
    case Kind::string:
      heap.charge(value.string->bytes.size());
      return json_text(*value.string, style.is_ascii, out);
    case Kind::sequence:
      return json_list(heap, *value.sequence, style, out, depth);
    case Kind::dict:
      return json_dict(heap, *value.dict, style, out, depth);
    default:
      throw Fault{"Object of type " + type_name(value) + " is not JSON serializable"};
  }
}

}  // namespace plumb::jinja
