#include "core/text/jinja/escape.h"

namespace plumb::jinja {

namespace {

std::string_view entity_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '\'':
      return "&#39;";
    case '"':
      return "&#34;";
    default:
      return {};
  }
}

}  // namespace

void append_escaped(const TracedText& text, TextBuilder& out) {
  OriginCursor origin(text);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.bytes.size(); ++i) {
    const std::string_view entity = entity_of(text.bytes[i]);
    if (entity.empty()) continue;
    out.append(text, begin, i);
    out.append(entity, origin.at(i));
    begin = i + 1;
  }
  out.append(text, begin, text.bytes.size());
}

}  // namespace plumb::jinja
