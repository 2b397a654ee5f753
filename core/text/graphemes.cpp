#include "core/text/graphemes.h"

#include <unicode/uchar.h>

#include "core/text/unicode.h"

namespace plumb::text {

namespace {

// ICU knows an older Unicode than `tokenizers`; where they differ in what extends a cluster, the
// table decides.
int break_class(char32_t code) {
  return u_getIntPropertyValue(static_cast<UChar32>(code), UCHAR_GRAPHEME_CLUSTER_BREAK);
}

bool is_pictographic(char32_t code) {
  return u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool is_control(int break_class) {
  return break_class == U_GCB_CR || break_class == U_GCB_LF || break_class == U_GCB_CONTROL;
}

bool joins_hangul(int left, int right) {  // GB6 to GB8
  if (left == U_GCB_L) {
    return right == U_GCB_L || right == U_GCB_V || right == U_GCB_LV || right == U_GCB_LVT;
  }
  if (left == U_GCB_LV || left == U_GCB_V) return right == U_GCB_V || right == U_GCB_T;
  return (left == U_GCB_LVT || left == U_GCB_T) && right == U_GCB_T;
}

}  // namespace

std::size_t grapheme_end(std::string_view text, std::size_t at) {
  DecodedChar c = decode_char(text, at);
  std::size_t end = at + c.length;
  int left = break_class(c.code);
  bool is_emoji = is_pictographic(c.code);  // of an emoji and what extends it so far
  bool is_lone_flag = left == U_GCB_REGIONAL_INDICATOR;
  while (end < text.size()) {
    c = decode_char(text, end);
    const int right = break_class(c.code);
    bool joins = false;
    if (left == U_GCB_CR) {
      joins = right == U_GCB_LF;
    } else if (!is_control(left) && (!is_control(right) || is_grapheme_extender(c.code))) {
      joins = is_grapheme_extender(c.code) || left == U_GCB_PREPEND || joins_hangul(left, right) ||
              (left == U_GCB_ZWJ && is_emoji && is_pictographic(c.code)) ||
              (is_lone_flag && right == U_GCB_REGIONAL_INDICATOR);
    }
    if (!joins) break;
    const bool is_extension = right == U_GCB_EXTEND || right == U_GCB_ZWJ;
    is_emoji = is_pictographic(c.code) || (is_emoji && is_extension);
    is_lone_flag = right == U_GCB_REGIONAL_INDICATOR && left != U_GCB_REGIONAL_INDICATOR;
    left = right;
    end += c.length;
  }
  return end;
}

}  // namespace plumb::text
