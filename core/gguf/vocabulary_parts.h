// Sections of tokenizer.json that the vocabularies read. The Tokenizer that holds these bytes has
// checked their types already.
#pragma once
#include <string>
#include <vector>

#include "core/io/json.h"

namespace plumb {

struct MergeTexts {
  std::string left;
  std::string right;
};

// "merges" as pairs, written as "a b" or ["a", "b"]; none when the model has none.
std::vector<MergeTexts> merges_of(const Json& model);

// The steps of a normalizer or pre-tokenizer, of a Sequence its own; none of null.
std::vector<Json> steps_of(const Json& section, const char* sequence_key);

}  // namespace plumb
