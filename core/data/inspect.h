// `plumb data inspect`: what the model will see, with what it is trained on marked.
#pragma once
#include <cstdint>
#include <string>

#include "core/data/prepare.h"
#include "core/text/tokenizer.h"

namespace plumb {

enum class Marking {
  colour,    // ANSI: trained tokens green, the template's own text dim
  brackets,  // [[trained]]
};

struct InspectOptions {
  std::int64_t first = 0;
  std::int64_t count = 3;
  Marking marking = Marking::brackets;
};

// The samples decoded, each with its row, length and trained share, then the accounting.
std::string inspect(const Dataset& dataset, const Tokenizer& tokenizer,
                    const InspectOptions& options = {});

}  // namespace plumb
