// The `added_tokens` of tokenizer.json: texts that are found before the model runs.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/json_view.h"
#include "core/text/normalizer.h"
#include "core/text/tokenizer.h"
#include "core/text/vocab.h"

namespace plumb::text {

struct AddedToken {
  std::string content;
  std::string matched_text;  // content, normalized when is_normalized
  std::int32_t id = kNoToken;
  bool is_special = false;
  bool strips_left = false;
  bool strips_right = false;
  bool is_single_word = false;
  bool is_normalized = false;  // looked for in normalized text
};

// Ids as the library gives them: the vocabulary's where it has the token, else the next free one.
// A warning is logged where the file says otherwise.
std::vector<AddedToken> parse_added_tokens(const JsonView& list, const Vocab& vocab,
                                           const Normalizer& normalizer);

// Part of a text: an added token (id) or what lies between.
struct Segment {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::int32_t id = kNoToken;
};

// Finds tokens: leftmost, and of those the longest.
class TokenFinder {
 public:
  // Of those tokens whose is_normalized is as given.
  TokenFinder(const std::vector<AddedToken>& tokens, bool is_normalized);

  bool is_empty() const { return tokens_.empty(); }
  std::vector<Segment> divide(std::string_view text, SpecialText special) const;

 private:
  struct Hit {
    std::size_t end = 0;
    const AddedToken* token = nullptr;
  };
  struct Node {
    std::vector<std::pair<unsigned char, std::int32_t>> children;  // sorted by byte
    std::int32_t token = -1;
  };
  void insert(std::string_view text, std::int32_t token);
  std::int32_t child(std::int32_t node, unsigned char byte) const;
  Hit longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> is_first_byte_{};
};

}  // namespace plumb::text
