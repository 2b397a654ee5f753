#include "core/text/jinja/format.h"

#include <algorithm>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/characters.h"
#include "core/text/jinja/number_format.h"
#include "core/text/jinja/operators.h"
#include "core/text/jinja/print.h"

namespace plumb::jinja {

namespace {

// `value` as format(value, spec).
Value format_value(Interpreter& in, const Value& value, std::string_view spec_text) {
  Heap& heap = in.heap();
  if (spec_text.empty()) return to_text(heap, value);
  FormatSpec spec = parse_format_spec(spec_text);
  const bool is_number = value.is(Kind::integer) || value.is(Kind::real) ||
                         (value.is(Kind::boolean) && spec.type != 0 && spec.type != 's');
  if (is_number) {
    const std::string digits = format_number(value, spec);
    if (spec.align == '=') {
      const std::size_t sign =
          digits.starts_with('-') || digits.starts_with('+') || digits.starts_with(' ') ? 1 : 0;
      const auto missing =
          std::max<std::int64_t>(spec.width - static_cast<std::int64_t>(digits.size()), 0);
      std::string padded = digits.substr(0, sign);
      for (std::int64_t i = 0; i < missing; ++i) padded += spec.fill;
      return heap.text(padded + digits.substr(sign));
    }
    const Value text = heap.text(digits);
    return pad_text(heap, *text.string, spec.width, spec.fill, spec.align ? spec.align : '>');
  }
  if (!value.is_string() && !value.is(Kind::boolean)) {
    throw Fault{"unsupported format string passed to " + type_name(value) + ".__format__"};
  }
  if (spec.align == '=') {
    throw Fault{"'=' alignment not allowed in string format specifier"};
  }
  if (spec.type != 0 && spec.type != 's') {
    throw Fault{std::string("Unknown format code '") + spec.type + "' for object of type 'str'"};
  }
  Value text = to_text(heap, value);
  if (spec.precision >= 0) {
    text = slice(heap, text, {}, Value::of(spec.precision), {});
  }
  return pad_text(heap, *text.string, spec.width, spec.fill, spec.align ? spec.align : '<');
}

// str.format: what a field such as "0.name[key]" names.
class Formatter {
 public:
  Formatter(Interpreter& in, const TracedText& format, const Arguments& arguments)
      : in_(in), format_(format), arguments_(arguments) {}

  Value run() {
    const std::string& bytes = format_.bytes;
    TextBuilder out;
    for (std::size_t at = 0; at < bytes.size();) {
      const char c = bytes[at];
      const bool is_doubled = at + 1 < bytes.size() && bytes[at + 1] == c;
      if ((c == '{' || c == '}') && is_doubled) {
        out.append(format_, at, at + 1);
        at += 2;
      } else if (c == '}') {
        throw Fault{"Single '}' encountered in format string"};
      } else if (c == '{') {
        at = field(at + 1, out);
      } else {
        const std::size_t end = std::min(bytes.find_first_of("{}", at), bytes.size());
        out.append(format_, at, end);
        at = end;
      }
      in_.heap().check_size(out.size());
    }
    return in_.heap().text(out);
  }

 private:
  std::size_t field(std::size_t begin, TextBuilder& out) {
    const std::string& bytes = format_.bytes;
    int depth = 1;
    std::size_t end = begin;
    for (; end < bytes.size(); ++end) {
      depth += bytes[end] == '{' ? 1 : bytes[end] == '}' ? -1 : 0;
      if (depth == 0) break;
    }
    if (end >= bytes.size()) throw Fault{"expected '}' before end of string"};
    const std::string_view inner = std::string_view(bytes).substr(begin, end - begin);
    const std::size_t colon = inner.find(':');
    std::string_view name = inner.substr(0, colon);
    std::string spec(colon == std::string_view::npos ? "" : inner.substr(colon + 1));
    if (spec.find('{') != std::string::npos) spec = nested(spec);
    char conversion = 0;
    if (name.size() >= 2 && name[name.size() - 2] == '!') {
      conversion = name.back();
      name.remove_suffix(2);
    }
    Value value = find(name);
    if (conversion == 'r') {
      TextBuilder text;
      print_repr(in_.heap(), value, text);
      value = in_.heap().text(text);
    } else if (conversion == 's') {
      value = to_text(in_.heap(), value);
    } else if (conversion != 0) {
      throw Fault{std::string("Unknown conversion specifier '") + conversion + "'"};
    }
    out.append(*format_value(in_, value, spec).string);
    return end + 1;
  }

  std::string nested(const std::string& spec) {
    if (is_nested_) throw Fault{"Max string recursion exceeded"};
    is_nested_ = true;
    TextBuilder builder;
    builder.append(spec, kTemplate);
    const Value text = in_.heap().text(builder);
    Formatter inner(in_, *text.string, arguments_);
    inner.is_nested_ = true;
    inner.next_ = next_;
    const Value out = inner.run();
    next_ = inner.next_;
    is_nested_ = false;
    return out.string->bytes;
  }

  Value find(std::string_view name) {
    std::size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, at));
    while (at < name.size()) {
      const bool is_item = name[at] == '[';
      const std::size_t begin = at + 1;
      const std::size_t end =
          is_item ? name.find(']', begin) : std::min(name.find_first_of(".[", begin), name.size());
      if (end == std::string_view::npos) throw Fault{"Missing ']' in format string"};
      const std::string_view part = name.substr(begin, end - begin);
      if (part.empty()) throw Fault{"Empty attribute in format string"};
      value = is_item ? in_.item(value, key(part)) : in_.attribute(value, part);
      at = is_item ? end + 1 : end;
    }
    return value;
  }

  Value key(std::string_view part) {
    const bool is_number = part.find_first_not_of("0123456789") == std::string_view::npos;
    if (!is_number || part.size() > 9) return in_.heap().text(part);
    return Value::of(static_cast<std::int64_t>(std::stoll(std::string(part))));
  }

  Value argument(std::string_view name) {
    const bool is_number = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (is_number) {
      const std::size_t index = name.empty()      ? next_++
                                : name.size() > 6 ? 1'000'000
                                                  : std::stoul(std::string(name));
      if (index < arguments_.values.size()) return arguments_.values[index];
      throw Fault{"Replacement index " + std::to_string(index) +
                  " out of range for positional args tuple"};
    }
    for (const auto& [known, value] : arguments_.named) {
      if (known == name) return value;
    }
    throw Fault{"'" + std::string(name) + "'"};
  }

  Interpreter& in_;
  const TracedText& format_;
  const Arguments& arguments_;
  std::size_t next_ = 0;
  bool is_nested_ = false;
};

// One conversion of the % operator.
struct Conversion {
  FormatSpec spec;
  bool is_left = false;
};

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& in, const TracedText& format, const Value& values)
      : in_(in), format_(format), values_(values) {
    is_tuple_ = values.is(Kind::sequence) && values.sequence->type == SequenceType::tuple;
  }

  Value run() {
    const std::string& bytes = format_.bytes;
    TextBuilder out;
    while (at_ < bytes.size()) {
      const std::size_t mark = std::min(bytes.find('%', at_), bytes.size());
      out.append(format_, at_, mark);
      at_ = mark + 1;
      if (mark < bytes.size()) convert(out);
      in_.heap().check_size(out.size());
    }
    const bool takes_none = values_.is(Kind::dict) || (!is_tuple_ && used_ > 0);
    if (!takes_none && !used_name_ && (!is_tuple_ || used_ < values_.sequence->elements.size())) {
      if (!is_tuple_ && values_.is(Kind::sequence)) return in_.heap().text(out);
      throw Fault{"not all arguments converted during string formatting"};
    }
    return in_.heap().text(out);
  }

 private:
  char now() const {
    if (at_ >= format_.bytes.size()) throw Fault{"incomplete format"};
    return format_.bytes[at_];
  }

  Value next_value() {
    if (named_) return *named_;
    if (is_tuple_) {
      if (used_ >= values_.sequence->elements.size()) {
        throw Fault{"not enough arguments for format string"};
      }
      return values_.sequence->elements[used_++];
    }
    if (used_++ > 0) throw Fault{"not enough arguments for format string"};
    return values_;
  }

  std::int64_t number() {
    if (now() == '*') {
      ++at_;
      const Value value = next_value();
      if (!value.is(Kind::integer) || std::abs(value.integer) > 10000) {
        throw Fault{"* wants int of at most 10000"};
      }
      return value.integer;
    }
    std::int64_t value = 0;
    while (now() >= '0' && now() <= '9') {
      value = value * 10 + (format_.bytes[at_++] - '0');
      if (value > (1 << 20)) throw Fault{"width too big"};
    }
    return value;
  }

  void convert(TextBuilder& out) {
    named_.reset();
    if (now() == '(') {
      const std::size_t end = format_.bytes.find(')', at_);
      if (end == std::string::npos) throw Fault{"incomplete format key"};
      if (!values_.is(Kind::dict)) throw Fault{"format requires a mapping"};
      const std::string name = format_.bytes.substr(at_ + 1, end - at_ - 1);
      const Value* value = find_item(in_.heap(), *values_.dict, in_.heap().text(name));
      if (!value) throw Fault{"'" + name + "'"};
      named_ = *value;
      used_name_ = true;
      at_ = end + 1;
    }
    Conversion conversion;
    FormatSpec& spec = conversion.spec;
    for (; std::string_view("#0- +").find(now()) != std::string_view::npos; ++at_) {
      if (now() == '-') conversion.is_left = true;
      if (now() == '0') spec.fill = "0";
      if (now() == '#') spec.is_alternate = true;
      if (now() == '+' || (now() == ' ' && spec.sign != '+')) spec.sign = now();
    }
    spec.width = number();
    if (now() == '.') {
      ++at_;
      spec.precision = number();
    }
    while (now() == 'l' || now() == 'h' || now() == 'L') ++at_;
    spec.type = format_.bytes[at_++];
    if (spec.width < 0) conversion.is_left = true;
    spec.width = std::abs(spec.width);
    if (spec.type == '%') return out.append("%", kTemplate);
    out.append(*converted(conversion, next_value()).string);
  }

  Value converted(Conversion conversion, const Value& value) {
    Heap& heap = in_.heap();
    FormatSpec& spec = conversion.spec;
    if (spec.type == 's' || spec.type == 'r' || spec.type == 'a') {
      TextBuilder text;
      spec.type == 's' ? print_value(heap, value, text) : print_repr(heap, value, text);
      Value out = heap.text(text);
      if (spec.precision >= 0) out = slice(heap, out, {}, Value::of(spec.precision), {});
      return pad_text(heap, *out.string, spec.width, " ", conversion.is_left ? '<' : '>');
    }
    if (spec.type == 'c' && value.is_string() && value.string->length == 1) {
      return pad_text(heap, *value.string, spec.width, " ", conversion.is_left ? '<' : '>');
    }
    if (value.is_undefined()) throw Fault{value.undefined->message};
    if (std::string_view("diouxXeEfFgGc").find(spec.type) == std::string_view::npos) {
      throw Fault{std::string("unsupported format character '") + spec.type + "'"};
    }
    if (!value.is_number()) {
      throw Fault{std::string("%") + spec.type + " format: a number is required, not " +
                  type_name(value)};
    }
    return padded_number(conversion, value);
  }

  Value padded_number(Conversion conversion, Value value) {
    Heap& heap = in_.heap();
    FormatSpec& spec = conversion.spec;
    const bool is_integer = std::string_view("diu").find(spec.type) != std::string_view::npos;
    if (is_integer) {
      spec.type = 'd';
      if (value.is(Kind::real)) value = to_integer(value.real);
    }
    const std::int64_t min_digits = spec.precision;
    if (is_integer || std::string_view("xXo").find(spec.type) != std::string_view::npos) {
      spec.precision = -1;
    }
    std::string digits = format_number(value, spec);
    const std::size_t sign = digits.find_first_of("+- ") == 0 ? 1 : 0;
    const auto missing = [&](std::int64_t wanted) {
      return static_cast<std::size_t>(
          std::max<std::int64_t>(wanted - static_cast<std::int64_t>(digits.size()), 0));
    };
    if (spec.precision < 0 && min_digits > 0) {
      digits.insert(sign, missing(min_digits + static_cast<std::int64_t>(sign)), '0');
    }
    if (conversion.is_left) {
      digits.append(missing(spec.width), ' ');
    } else if (spec.fill == "0") {
      digits.insert(sign, missing(spec.width), '0');
    } else {
      digits.insert(0, missing(spec.width), ' ');
    }
    return heap.text(digits);
  }

  static Value to_integer(double value) {
    if (!(value > -9.2e18 && value < 9.2e18)) throw Fault{"cannot convert float to integer"};
    return Value::of(static_cast<std::int64_t>(value));
  }

  Interpreter& in_;
  const TracedText& format_;
  const Value& values_;
  std::optional<Value> named_;
  bool is_tuple_ = false;
  bool used_name_ = false;
  std::size_t used_ = 0;
  std::size_t at_ = 0;
};

}  // namespace

Value pad_text(Heap& heap, const TracedText& text, std::int64_t width, const std::string& fill,
               char align) {
  const std::int64_t missing = width - text.length;
  if (missing <= 0) return heap.part(text, 0, text.bytes.size());
  heap.check_size(fill.size(), static_cast<std::size_t>(missing));
  std::int64_t before = align == '<' ? 0 : align == '>' ? missing : missing / 2;
  if (align == 'c') before += missing & width & 1;
  TextBuilder out;
  for (std::int64_t i = 0; i < before; ++i) out.append(fill, kTemplate);
  out.append(text);
  for (std::int64_t i = before; i < missing; ++i) out.append(fill, kTemplate);
  return heap.text(out);
}

Value format_method(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  return Formatter(interpreter, *self.string, arguments).run();
}

Value format_map_method(Interpreter& interpreter, const Value& self, Arguments& arguments) {
  const Bound bound("format_map", arguments, {"mapping"}, 1);
  if (!bound.at(0).is(Kind::dict)) throw Fault{"format_map() argument must be a mapping"};
  Arguments named;
  for (const auto& [name, value] : bound.at(0).dict->entries) {
    if (name.is_string()) named.named.emplace_back(name.view(), value);
  }
  return Formatter(interpreter, *self.string, named).run();
}

Value format_percent(Interpreter& interpreter, const TracedText& format, const Value& values) {
  return PercentFormatter(interpreter, format, values).run();
}

}  // namespace plumb::jinja
