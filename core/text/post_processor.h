// The `post_processor` of tokenizer.json, reduced to what it does to one sequence: ids put around
// it.
#pragma once
#include <cstdint>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/vocab.h"

namespace plumb::text {

inline constexpr std::int32_t kSequence = -1;  // stands for the encoded text

// Ids and kSequence in order; just kSequence when nothing is added.
using Template = std::vector<std::int32_t>;

// ByteLevel's and RobertaProcessing's trim_offsets: spaces at a token's ends are left out of its
// offsets, but for one that was put before the text.
struct TrimOffsets {
  bool adds_prefix_space = false;
};

struct PostProcessor {
  Template pieces = {kSequence};
  std::vector<TrimOffsets> trims;  // in order, before anything is put around the sequence
};

// `id_bound` is one more than the highest id there is.
PostProcessor parse_post_processor(const JsonView& view, std::int32_t id_bound);
std::vector<std::int32_t> fill_template(const Template& pieces,
                                        const std::vector<std::int32_t>& sequence);

}  // namespace plumb::text
