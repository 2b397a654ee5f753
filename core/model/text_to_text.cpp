#include "core/model/text_to_text.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace plumb {
namespace {

void check_sources(const PackedBatch& batch) {
  if (std::ssize(batch.source_lengths) != batch.num_sequences()) {
    throw Error(
        "a text-to-text model reads a prompt and predicts a completion, and these sequences are "
        "not divided so: train it with prompt and completion columns (sft), or use a model of one "
        "stack");
  }
  for (int64_t b = 0; b < batch.num_sequences(); ++b) {
    const int64_t length = batch.cu_seqlens[b + 1] - batch.cu_seqlens[b];
    if (batch.source_lengths[b] >= 1 && batch.source_lengths[b] <= length) continue;
    throw Error("sequence " + std::to_string(b) + ": its source must be 1 to " +
                std::to_string(length) + " tokens, got " + std::to_string(batch.source_lengths[b]) +
                "; a text-to-text model needs a prompt before what it is to predict");
  }
}

// Adapters' rows of the flat batch in a stack's; both hold the same sequences.
ForwardOptions options_of(const ForwardOptions& options, const std::vector<int64_t>& flat,
                          const std::vector<int64_t>& own) {
  const auto row_of = [&](int64_t row) {
    const auto found = std::lower_bound(flat.begin(), flat.end(), row);
    if (found == flat.end() || *found != row) {
      throw Error("adapters: row " + std::to_string(row) +
                      " is inside a sequence; a text-to-text model's adapters act on whole ones",
                  Exit::failed);
    }
    return own[found - flat.begin()];
  };
  ForwardOptions result{{}, options.dropout};
  for (const AdapterRows& rows : options.adapters) {
    result.adapters.push_back({row_of(rows.begin), row_of(rows.end), rows.adapter});
  }
  return result;
}

}  // namespace

TwoStacks split(const PackedBatch& batch, const ForwardOptions& options,
                const ModelConfig& config) {
  check_sources(batch);
  const int64_t* tokens = batch.tokens.const_data_ptr<int64_t>();
  std::vector<std::vector<int32_t>> sources, targets;
  std::vector<int64_t> rows;
  for (int64_t b = 0; b < batch.num_sequences(); ++b) {
    const int64_t begin = batch.cu_seqlens[b], end = batch.cu_seqlens[b + 1];
    const int64_t middle = begin + batch.source_lengths[b];
    sources.emplace_back(tokens + begin, tokens + middle);
    std::vector<int32_t>& target = targets.emplace_back();
    target.push_back(config.decoder_start_token_id);
    target.insert(target.end(), tokens + middle, tokens + end);
    for (int64_t row = middle - 1; row < end; ++row) {
      rows.push_back(row);
    }
  }
  TwoStacks stacks{pack(sources), pack(targets), at::tensor(rows, at::kLong), {}, {}};
  stacks.source_options = options_of(options, batch.cu_seqlens, stacks.source.cu_seqlens);
  stacks.target_options = options_of(options, batch.cu_seqlens, stacks.target.cu_seqlens);
  return stacks;
}

EncodedSource encode(const Decoder& decoder, const PackedBatch& batch,
                     const ForwardOptions& options) {
  return {stack_hidden(decoder, {batch, options, Stack::encoder}), batch.cu_seqlens, options};
}

at::Tensor text_to_text_hidden(const Decoder& decoder, const PackedBatch& batch,
                               const ForwardOptions& options) {
  const TwoStacks stacks = split(batch, options, decoder.config);
  const EncodedSource source = encode(decoder, stacks.source, stacks.source_options);
  const at::Tensor target =
      stack_hidden(decoder, {stacks.target, stacks.target_options, Stack::decoder, &source});
  return at::zeros({batch.num_rows(), target.size(1)}, target.options())
      .index_copy(0, stacks.target_rows.to(target.device()), target);
}

}  // namespace plumb
