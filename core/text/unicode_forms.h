// Normalization forms (ICU held to the Unicode version of the `tokenizers` package) and lower case.
#pragma once
#include "core/text/tracked_text.h"

namespace plumb::text {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

void to_form(UnicodeForm form, TrackedText& text);
void to_lower(TrackedText& text);  // each character by itself

}  // namespace plumb::text
