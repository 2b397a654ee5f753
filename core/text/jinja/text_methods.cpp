// Methods of str.
#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.h"
#include "core/text/jinja/characters.h"
#include "core/text/jinja/format.h"
#include "core/text/jinja/text_tools.h"
#include "core/text/unicode.h"

namespace plumb::jinja {

namespace {

const TracedText& self_text(const Value& self) {
  return *self.string;
}

// An argument that may be None.
const TracedText* optional_text(const Bound& bound, std::size_t index) {
  const Value* value = bound.find(index);
  return !value || value->is(Kind::none) ? nullptr : &bound.text(index);
}

template <Sides sides>
Value strip_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  return strip(in.heap(), self_text(self), optional_text(bound, 0), sides);
}

Value split_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  return in.heap().list(
      split(in.heap(), self_text(self), optional_text(bound, 0), bound.integer(1, -1)));
}

Value rsplit_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("rsplit", arguments, {"sep", "maxsplit"});
  return in.heap().list(
      split_right(in.heap(), self_text(self), optional_text(bound, 0), bound.integer(1, -1)));
}

Value splitlines_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return in.heap().list(split_lines(in.heap(), self_text(self), bound.truth(0, false)));
}

Value join_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"}, 1);
  const std::vector<Value> texts = in.elements(bound.at(0));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].is_string()) continue;
    throw Fault{"sequence item " + std::to_string(i) + ": expected str instance, " +
                type_name(texts[i]) + " found"};
  }
  return join(in.heap(), self_text(self), texts);
}

Value replace_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  return replace(in.heap(), self_text(self), bound.text(0), bound.text(1), bound.integer(2, -1));
}

Value upper_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("upper", arguments, {});
  return map_text(in.heap(), self_text(self), to_upper);
}

Value lower_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("lower", arguments, {});
  return map_text(in.heap(), self_text(self), to_lower);
}

Value casefold_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("casefold", arguments, {});
  return map_text(in.heap(), self_text(self), fold_case);
}

Value capitalize_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("capitalize", arguments, {});
  return capitalize(in.heap(), self_text(self));
}

bool is_cased(char32_t code) {
  return is_lower(code) || is_upper(code) || is_title(code);
}

Value title_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("title", arguments, {});
  return map_words(in.heap(), self_text(self), is_cased,
                   [](std::string_view character, bool is_first) {
                     return is_first ? to_title(character) : to_lower(character);
                   });
}

Value swapcase_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("swapcase", arguments, {});
  return map_words(in.heap(), self_text(self), is_cased, [](std::string_view character, bool) {
    const char32_t code = text::decode_char(character, 0).code;
    return is_upper(code) ? to_lower(character) : to_upper(character);
  });
}

// self[start:end] as byte offsets; begin is npos when start lies beyond the text.
struct Part {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Part part_of(const TracedText& text, const Bound& bound, std::size_t first) {
  const auto index = [&](std::size_t at, std::int64_t fallback) {
    const Value* value = bound.find(at);
    std::int64_t i = !value || value->is(Kind::none) ? fallback : bound.integer(at, fallback);
    if (i < 0) i = std::max<std::int64_t>(i + text.length, 0);
    return i;
  };
  const std::int64_t start = index(first, 0);
  const std::int64_t stop = std::min(index(first + 1, text.length), text.length);
  if (start > text.length) return {std::string::npos, 0};
  return {byte_of_char(text.bytes, start, text.is_ascii()),
          byte_of_char(text.bytes, stop, text.is_ascii())};
}

template <bool at_start>
Value affix_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound(at_start ? "startswith" : "endswith", arguments, {"affix", "start", "end"}, 1);
  const TracedText& text = self_text(self);
  const Part part = part_of(text, bound, 1);
  std::vector<Value> affixes = {bound.at(0)};
  const Value& given = bound.at(0);
  if (given.is(Kind::sequence) && given.sequence->type == SequenceType::tuple) {
    affixes = in.elements(given);
  }
  for (const Value& affix : affixes) {
    if (affix.is_undefined()) throw Fault{affix.undefined->message};
    if (!affix.is_string()) {
      throw Fault{std::string(at_start ? "startswith" : "endswith") +
                  " first arg must be str or a tuple of str, not " + type_name(affix)};
    }
    if (part.begin > part.end) continue;
    const std::string_view inner =
        std::string_view(text.bytes).substr(part.begin, part.end - part.begin);
    if (at_start ? inner.starts_with(affix.view()) : inner.ends_with(affix.view())) {
      return Value::of(true);
    }
  }
  return Value::of(false);
}

template <bool from_left, bool must_be_found>
Value find_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("find", arguments, {"sub", "start", "end"}, 1);
  const TracedText& text = self_text(self);
  const Part part = part_of(text, bound, 1);
  const std::string_view wanted = bound.text(0).bytes;
  const std::size_t found = from_left
                                ? find_text(in.heap(), text.bytes, wanted, part.begin, part.end)
                                : rfind_text(in.heap(), text.bytes, wanted, part.begin, part.end);
  if (found != std::string::npos) {
    return Value::of(count_chars(std::string_view(text.bytes).substr(0, found)));
  }
  if (must_be_found) throw Fault{"substring not found"};
  return Value::of(std::int64_t{-1});
}

Value count_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"}, 1);
  const TracedText& text = self_text(self);
  const Part part = part_of(text, bound, 1);
  const std::string_view wanted = bound.text(0).bytes;
  if (part.begin > part.end) return Value::of(std::int64_t{0});
  if (wanted.empty()) {
    return Value::of(
        count_chars(std::string_view(text.bytes).substr(part.begin, part.end - part.begin)) + 1);
  }
  std::int64_t count = 0;
  for (std::size_t at = find_text(in.heap(), text.bytes, wanted, part.begin, part.end);
       at != std::string::npos;
       at = find_text(in.heap(), text.bytes, wanted, at + wanted.size(), part.end)) {
    ++count;
  }
  return Value::of(count);
}

using CharTest = bool (*)(char32_t);

bool holds_for_all(std::string_view text, CharTest test) {
  if (text.empty()) return false;
  for (std::size_t at = 0; at < text.size();) {
    const text::DecodedChar c = text::decode_char(text, at);
    if (!test(c.code)) return false;
    at += static_cast<std::size_t>(c.length);
  }
  return true;
}

template <CharTest test>
Value all_method(Interpreter&, const Value& self, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return Value::of(holds_for_all(self.view(), test));
}

bool is_alnum(char32_t code) {
  return is_alpha(code) || is_decimal(code) || is_digit(code) || is_numeric(code);
}

Value isascii_method(Interpreter&, const Value& self, Arguments&) {
  return Value::of(self_text(self).is_ascii());
}

Value isprintable_method(Interpreter&, const Value& self, Arguments&) {
  return Value::of(self.view().empty() || holds_for_all(self.view(), is_printable));
}

Value isidentifier_method(Interpreter&, const Value& self, Arguments&) {
  const std::string_view text = self.view();
  return Value::of(!text.empty() && is_name_start(text::decode_char(text, 0).code) &&
                   holds_for_all(text, is_name_part));
}

template <bool wants_upper>
Value case_method(Interpreter&, const Value& self, Arguments&) {
  return Value::of(is_all_case(self.view(), wants_upper));
}

Value istitle_method(Interpreter&, const Value& self, Arguments&) {
  bool was_cased = false, has_any = false;
  const std::string_view text = self.view();
  for (std::size_t at = 0; at < text.size();) {
    const text::DecodedChar c = text::decode_char(text, at);
    at += static_cast<std::size_t>(c.length);
    const bool is_high = is_upper(c.code) || is_title(c.code);
    if ((is_high && was_cased) || (is_lower(c.code) && !was_cased)) return Value::of(false);
    was_cased = is_high || is_lower(c.code);
    has_any |= was_cased;
  }
  return Value::of(has_any);
}

template <bool at_start>
Value remove_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("remove", arguments, {"affix"}, 1);
  const std::string_view affix = bound.text(0).bytes;
  const TracedText& text = self_text(self);
  const bool has_it = at_start ? self.view().starts_with(affix) : self.view().ends_with(affix);
  if (!has_it) return self;
  const std::size_t size = text.bytes.size();
  return at_start ? in.heap().part(text, affix.size(), size)
                  : in.heap().part(text, 0, size - affix.size());
}

template <bool from_left>
Value partition_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("partition", arguments, {"sep"}, 1);
  Heap& heap = in.heap();
  const TracedText& text = self_text(self);
  const std::string& mark = bound.text(0).bytes;
  if (mark.empty()) throw Fault{"empty separator"};
  const std::size_t size = text.bytes.size();
  const std::size_t at = from_left ? find_text(heap, text.bytes, mark, 0, size)
                                   : rfind_text(heap, text.bytes, mark, 0, size);
  if (at == std::string::npos) {
    const Value empty = heap.text("");
    return from_left ? heap.tuple({self, empty, empty}) : heap.tuple({empty, empty, self});
  }
  return heap.tuple({heap.part(text, 0, at), heap.part(text, at, at + mark.size()),
                     heap.part(text, at + mark.size(), size)});
}

enum class Align { left, right, center };

template <Align align>
Value pad_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("justify", arguments, {"width", "fillchar"}, 1);
  const TracedText& text = self_text(self);
  const std::string fill = bound.has(1) ? bound.text(1).bytes : " ";
  if (count_chars(fill) != 1) {
    throw Fault{"The fill character must be exactly one character long"};
  }
  return pad_text(in.heap(), text, bound.integer(0, 0), fill,
                  align == Align::left    ? '<'
                  : align == Align::right ? '>'
                                          : 'c');
}

Value zfill_method(Interpreter& in, const Value& self, Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"}, 1);
  const TracedText& text = self_text(self);
  const bool has_sign = text.bytes.starts_with('-') || text.bytes.starts_with('+');
  const std::int64_t missing = std::max<std::int64_t>(bound.integer(0, 0) - text.length, 0);
  in.heap().check_size(1, static_cast<std::size_t>(missing));
  TextBuilder out;
  out.append(text, 0, has_sign ? 1 : 0);
  out.append(std::string(static_cast<std::size_t>(missing), '0'), kTemplate);
  out.append(text, has_sign ? 1 : 0, text.bytes.size());
  return in.heap().text(out);
}

constexpr std::array<NamedFunction, 43> kMethods = {{
    {"capitalize", capitalize_method},
    {"casefold", casefold_method},
    {"center", pad_method<Align::center>},
    {"count", count_method},
    {"endswith", affix_method<false>},
    {"find", find_method<true, false>},
    {"format", format_method},
    {"format_map", format_map_method},
    {"index", find_method<true, true>},
    {"isalnum", all_method<is_alnum>},
    {"isalpha", all_method<is_alpha>},
    {"isascii", isascii_method},
    {"isdecimal", all_method<is_decimal>},
    {"isdigit", all_method<is_digit>},
    {"isidentifier", isidentifier_method},
    {"islower", case_method<false>},
    {"isnumeric", all_method<is_numeric>},
    {"isprintable", isprintable_method},
    {"isspace", all_method<is_space>},
    {"istitle", istitle_method},
    {"isupper", case_method<true>},
    {"join", join_method},
    {"ljust", pad_method<Align::left>},
    {"lower", lower_method},
    {"lstrip", strip_method<Sides::left>},
    {"partition", partition_method<true>},
    {"removeprefix", remove_method<true>},
    {"removesuffix", remove_method<false>},
    {"replace", replace_method},
    {"rfind", find_method<false, false>},
    {"rindex", find_method<false, true>},
    {"rjust", pad_method<Align::right>},
    {"rpartition", partition_method<false>},
    {"rsplit", rsplit_method},
    {"rstrip", strip_method<Sides::right>},
    {"split", split_method},
    {"splitlines", splitlines_method},
    {"startswith", affix_method<true>},
    {"strip", strip_method<Sides::both>},
    {"swapcase", swapcase_method},
    {"title", title_method},
    {"upper", upper_method},
    {"zfill", zfill_method},
}};

}  // namespace

bool is_all_case(std::string_view text, bool wants_upper) {
  bool has_any = false;
  for (std::size_t at = 0; at < text.size();) {
    const text::DecodedChar c = text::decode_char(text, at);
    at += static_cast<std::size_t>(c.length);
    const bool is_wrong = is_title(c.code) || (wants_upper ? is_lower(c.code) : is_upper(c.code));
    if (is_wrong) return false;
    has_any |= wants_upper ? is_upper(c.code) : is_lower(c.code);
  }
  return has_any;
}

Function find_text_method(std::string_view name) {
  const auto found = std::find_if(kMethods.begin(), kMethods.end(),
                                  [&](const NamedFunction& row) { return row.name == name; });
  return found == kMethods.end() || name.empty() ? nullptr : found->function;
}

}  // namespace plumb::jinja
