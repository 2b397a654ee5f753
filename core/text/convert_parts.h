// Sections of tokenizer.json that training and several converters write.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/io/json.h"

namespace plumb::text {

struct SpecialTokenEntry {
  std::int64_t id = 0;
  std::string content;
  bool is_special = true;
};

// {token: its index}. The tokens are distinct: no search is made for each.
Json vocab_json(const std::vector<std::string>& tokens);
// `added` in order of ids.
Json added_tokens_json(const std::vector<SpecialTokenEntry>& added);
Json tokenizer_document(Json model, const std::vector<SpecialTokenEntry>& added);  // else null
Json bpe_json(Json vocab, Json merges);  // with every option off
Json byte_level_section();               // as pre-tokenizer without a prefix space, or decoder
Json split_then_bytes(std::string_view pattern);
Json sequence_only();  // the post-processor that adds nothing

// The merges that a list of tokens implies: for each token, in order, the pairs of earlier or later
// tokens that it can be cut into.
enum class PairOrder {
  by_left_length,  // transformers' generate_merges
  by_ranks,        // its TikTokenConverter: by the ids of both parts
};
// Tokens are cut between characters. Error when one has more than 1024 bytes: no tokenizer's has.
Json implied_merges(const std::vector<std::string>& tokens, PairOrder order,
                    const std::string& where);

}  // namespace plumb::text
