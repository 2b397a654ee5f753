#include "core/data/sample.h"

#include <algorithm>

namespace plumb {

std::string sample_kind_name(SampleKind kind) {
  switch (kind) {
    case SampleKind::text:
      return "text";
    case SampleKind::conversation:
      return "conversation";
    case SampleKind::preference:
      return "preference";
    case SampleKind::prompt:
      return "prompt";
  }
  return "";
}

std::int64_t Sample::length() const {
  std::int64_t sum = 0;
  for (const Sequence& sequence : sequences) {
    sum += static_cast<std::int64_t>(sequence.tokens.size());
  }
  return sum;
}

std::int64_t trained_tokens(const Sequence& sequence) {
  std::int64_t sum = 0;
  for (const Span& span : sequence.spans) {
    if (span.is_trained) sum += span.end - std::max<std::int64_t>(span.begin, 1);
  }
  return std::max<std::int64_t>(sum, 0);
}

}  // namespace plumb
