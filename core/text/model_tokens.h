// What a model makes of pieces: ids and, when asked for, the bytes of the piece that each is for.
#pragma once
#include <cstdint>
#include <vector>

#include "core/text/pattern.h"

namespace plumb::text {

struct ModelTokens {
  std::vector<std::int32_t> ids;
  std::vector<Match> spans;  // byte offsets in the piece, one an id when has_spans, else empty
  bool has_spans = false;

  void add(std::int32_t id, std::size_t begin, std::size_t end) {
    ids.push_back(id);
    if (has_spans) spans.push_back({begin, end});
  }
};

}  // namespace plumb::text
