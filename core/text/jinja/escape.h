#pragma once
#include "core/text/jinja/traced_text.h"

namespace plumb::jinja {

// As markupsafe.escape: & < > ' " become entities.
void append_escaped(const TracedText& text, TextBuilder& out);

}  // namespace plumb::jinja
