#include "core/text/jinja/print.h"

#include <charconv>
#include <cmath>

#include "core/text/jinja/characters.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

void append_hex(std::string& out, char32_t code, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(code >> shift) & 15];
}

// One character within quotes, as repr() has it.
std::string repr_char(char32_t code, std::string_view bytes, char quote) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  if (code == '\\' || code == static_cast<char32_t>(quote)) return "\\" + std::string(bytes);
  if (is_printable(code)) return std::string(bytes);
  std::string out = code < 0x100 ? "\\x" : code < 0x10000 ? "\\u" : "\\U";
  append_hex(out, code, code < 0x100 ? 2 : code < 0x10000 ? 4 : 8);
  return out;
}

void repr_text(const TracedText& text, TextBuilder& out) {
  const bool has_single = text.bytes.find('\'') != std::string::npos;
  const char quote = has_single && text.bytes.find('"') == std::string::npos ? '"' : '\'';
  const std::string mark(1, quote);
  if (text.is_markup) out.append("Markup(", kTemplate);
  out.append(mark, kTemplate);
  OriginCursor origin(text);
  for (std::size_t at = 0; at < text.bytes.size();) {
    const text::DecodedChar c = text::decode_char(text.bytes, at);
    const auto size = static_cast<std::size_t>(c.length);
    out.append(repr_char(c.code, std::string_view(text.bytes).substr(at, size), quote),
               origin.at(at));
    at += size;
  }
  out.append(mark, kTemplate);
  if (text.is_markup) out.append(")", kTemplate);
}

void repr_elements(Heap& heap, const std::vector<Value>& elements, std::string_view open,
                   std::string_view close, TextBuilder& out, int depth) {
  out.append(open, kTemplate);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) out.append(", ", kTemplate);
    print_repr(heap, elements[i], out, depth);
  }
  out.append(close, kTemplate);
}

void repr_sequence(Heap& heap, const Sequence& sequence, TextBuilder& out, int depth) {
  const std::vector<Value>& elements = sequence.elements;
  switch (sequence.type) {
    case SequenceType::list:
      return repr_elements(heap, elements, "[", "]", out, depth);
    case SequenceType::tuple:
      return repr_elements(heap, elements, "(", elements.size() == 1 ? ",)" : ")", out, depth);
    case SequenceType::range:
      return out.append(sequence.printed, kTemplate);
    case SequenceType::keys:
      return repr_elements(heap, elements, "dict_keys([", "])", out, depth);
    case SequenceType::values:
      return repr_elements(heap, elements, "dict_values([", "])", out, depth);
    case SequenceType::items:
      return repr_elements(heap, elements, "dict_items([", "])", out, depth);
    case SequenceType::generator:
      return out.append("<generator object>", kTemplate);
  }
}

void repr_dict(Heap& heap, const Dict& dict, TextBuilder& out, int depth) {
  out.append("{", kTemplate);
  bool is_first = true;
  for (const auto& [key, value] : dict.entries) {
    if (!is_first) out.append(", ", kTemplate);
    is_first = false;
    print_repr(heap, key, out, depth);
    out.append(": ", kTemplate);
    print_repr(heap, value, out, depth);
  }
  out.append("}", kTemplate);
}

void repr_namespace(Heap& heap, const Namespace& space, TextBuilder& out, int depth) {
  out.append("<Namespace {", kTemplate);
  bool is_first = true;
  for (const auto& [name, value] : space.attributes) {
    if (!is_first) out.append(", ", kTemplate);
    is_first = false;
    print_repr(heap, heap.text(name), out, depth);
    out.append(": ", kTemplate);
    print_repr(heap, value, out, depth);
  }
  out.append("}>", kTemplate);
}

}  // namespace

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string digits(buffer, result.ptr);
  const std::size_t mark = digits.find('e');
  const int exponent = std::stoi(digits.substr(mark + 1));
  digits.resize(mark);
  if (exponent < -4 || exponent >= 16) {
    const std::string power = std::to_string(std::abs(exponent));
    return digits + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  const auto fixed =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  const std::string out(buffer, fixed.ptr);
  return out.find('.') == std::string::npos ? out + ".0" : out;
}

void print_repr(Heap& heap, const Value& value, TextBuilder& out, int depth) {
  heap.check_depth(depth);
  heap.step();
  heap.check_size(out.size());
  switch (value.kind) {
    case Kind::undefined:
      return out.append("Undefined", kTemplate);
    case Kind::none:
      return out.append("None", kTemplate);
    case Kind::boolean:
      return out.append(value.boolean ? "True" : "False", kTemplate);
    case Kind::integer:
      return out.append(std::to_string(value.integer), kTemplate);
    case Kind::real:
      return out.append(real_text(value.real), kTemplate);
    case Kind::string:
      heap.charge(value.string->bytes.size());
      return repr_text(*value.string, out);
    case Kind::sequence:
      return repr_sequence(heap, *value.sequence, out, depth + 1);
    case Kind::dict:
      return repr_dict(heap, *value.dict, out, depth + 1);
    case Kind::name_space:
      return repr_namespace(heap, *value.name_space, out, depth + 1);
    case Kind::callable:
      return out.append("<" + std::string(value.callable->type) + " " + value.callable->name + ">",
                        kTemplate);
    case Kind::loop:
      return out.append("<LoopContext " + std::to_string(value.loop->index0 + 1) + ">", kTemplate);
  }
}

void print_value(Heap& heap, const Value& value, TextBuilder& out) {
  if (value.is_undefined()) return;
  if (value.is_string()) return out.append(*value.string);
  print_repr(heap, value, out);
}

Value to_text(Heap& heap, const Value& value) {
  if (value.is_string() && !value.string->is_markup) return value;
  TextBuilder out;
  print_value(heap, value, out);
  return heap.text(out);
}

}  // namespace plumb::jinja
