#include <algorithm>

#include "core/text/jinja/characters.h"
#include "core/text/jinja/operators.h"

namespace plumb::jinja {

namespace {

struct Bounds {
  std::int64_t start = 0;
  std::int64_t stop = 0;
  std::int64_t step = 1;
};

std::optional<std::int64_t> index_of(const Value& value) {
  if (value.is(Kind::none)) return std::nullopt;
  if (!value.is_integral()) {
    throw Fault{"slice indices must be integers or None or have an __index__ method"};
  }
  return value.to_integer();
}

// Python's slice.indices.
Bounds bounds_of(std::int64_t length, const Value& start, const Value& stop, const Value& step) {
  Bounds out;
  out.step = index_of(step).value_or(1);
  if (out.step == 0) throw Fault{"slice step cannot be zero"};
  const std::int64_t low = out.step < 0 ? -1 : 0;
  const std::int64_t high = out.step < 0 ? length - 1 : length;
  const auto clamp = [&](std::int64_t index) {
    if (index < 0) index = index < -length ? low : index + length;
    return std::clamp(index, low, high);
  };
  const auto given_start = index_of(start), given_stop = index_of(stop);
  out.start = given_start ? clamp(*given_start) : out.step < 0 ? high : low;
  out.stop = given_stop ? clamp(*given_stop) : out.step < 0 ? low : high;
  return out;
}

std::vector<std::int64_t> indices_of(const Heap& heap, const Bounds& bounds) {
  std::vector<std::int64_t> indices;
  std::int64_t at = bounds.start;
  while (bounds.step > 0 ? at < bounds.stop : at > bounds.stop) {
    indices.push_back(at);
    if (__builtin_add_overflow(at, bounds.step, &at)) break;
  }
  heap.check_size(sizeof(Value), indices.size());
  return indices;
}

Value slice_text(Heap& heap, const TracedText& text, const Bounds& bounds) {
  const bool is_ascii = text.is_ascii();
  if (bounds.step == 1) {
    if (bounds.start >= bounds.stop) return heap.text("");
    const std::size_t begin = byte_of_char(text.bytes, bounds.start, is_ascii);
    const std::string_view rest = std::string_view(text.bytes).substr(begin);
    heap.charge(text.bytes.size());
    return heap.part(text, begin, begin + byte_of_char(rest, bounds.stop - bounds.start, is_ascii));
  }
  heap.charge(text.bytes.size() * sizeof(std::size_t));
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < text.bytes.size(); at += char_bytes(text.bytes, at)) {
    begins.push_back(at);
  }
  TextBuilder out;
  for (const std::int64_t index : indices_of(heap, bounds)) {
    const std::size_t begin = begins[static_cast<std::size_t>(index)];
    out.append(text, begin, begin + char_bytes(text.bytes, begin));
  }
  return heap.text(out);
}

}  // namespace

Value slice(Heap& heap, const Value& object, const Value& start, const Value& stop,
            const Value& step) {
  if (object.is_undefined()) throw Fault{object.undefined->message};
  if (object.is_string()) {
    return slice_text(heap, *object.string, bounds_of(object.string->length, start, stop, step));
  }
  if (object.is(Kind::dict)) throw Fault{"unhashable type: 'slice'"};
  const bool is_sliceable =
      object.is(Kind::sequence) && (object.sequence->type == SequenceType::list ||
                                    object.sequence->type == SequenceType::tuple ||
                                    object.sequence->type == SequenceType::range);
  if (!is_sliceable) throw Fault{"'" + type_name(object) + "' object is not subscriptable"};
  const std::vector<Value>& all = object.sequence->elements;
  const Bounds bounds = bounds_of(static_cast<std::int64_t>(all.size()), start, stop, step);
  std::vector<Value> elements;
  for (const std::int64_t index : indices_of(heap, bounds)) {
    elements.push_back(all[static_cast<std::size_t>(index)]);
  }
  const bool is_tuple = object.sequence->type == SequenceType::tuple;
  return heap.sequence(is_tuple ? SequenceType::tuple : SequenceType::list, std::move(elements));
}

}  // namespace plumb::jinja
