// What Python's str methods and Jinja's text filters share.
#pragma once
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text/jinja/interpreter.h"

namespace plumb::jinja {

enum class Sides { both, left, right };

// Without white space, or the characters of `chars`, at its ends.
Value strip(Heap& heap, const TracedText& text, const TracedText* chars, Sides sides);
Value replace(Heap& heap, const TracedText& text, const TracedText& old, const TracedText& by,
              std::int64_t count);
std::vector<Value> split(Heap& heap, const TracedText& text, const TracedText* separator,
                         std::int64_t max_splits);
std::vector<Value> split_right(Heap& heap, const TracedText& text, const TracedText* separator,
                               std::int64_t max_splits);
std::vector<Value> split_lines(Heap& heap, const TracedText& text, bool keeps_ends);
Value join(Heap& heap, const TracedText& separator, const std::vector<Value>& texts);

// Each stretch of one origin through `change`, a function of text such as to_upper.
Value map_text(Heap& heap, const TracedText& text,
               const std::function<std::string(std::string_view)>& change);
// Each character with whether it follows one that `is_word` holds of.
using CharMap = std::function<std::string(std::string_view character, bool is_first_of_word)>;
Value map_words(Heap& heap, const TracedText& text,
                const std::function<bool(char32_t code)>& is_word, const CharMap& change);
Value capitalize(Heap& heap, const TracedText& text);

// Byte offset of `part` in text[begin, end); npos.
std::size_t find_text(Heap& heap, std::string_view text, std::string_view part, std::size_t begin,
                      std::size_t end);
std::size_t rfind_text(Heap& heap, std::string_view text, std::string_view part, std::size_t begin,
                       std::size_t end);

}  // namespace plumb::jinja
