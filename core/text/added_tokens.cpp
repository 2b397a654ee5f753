#include "core/text/added_tokens.h"

#include <algorithm>
#include <unordered_map>

#include "core/error.h"
#include "core/log.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

// Bounds a search at each position, so that a hostile file cannot make one quadratic.
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::int64_t kMaxFileId = 0xFFFFFFFF;

AddedToken parse_added_token(const JsonView& view, const Normalizer& normalizer) {
  AddedToken token;
  token.content = view["content"].string();
  token.is_special = view["special"].boolean();
  token.strips_left = view["lstrip"].boolean();
  token.strips_right = view["rstrip"].boolean();
  token.is_single_word = view["single_word"].boolean();
  token.is_normalized = view["normalized"].boolean();
  token.matched_text = token.content;
  if (token.is_normalized) {
    TrackedText text = TrackedText::of(token.content, 0, false);
    TextPosition position = TextPosition::start;
    normalize(normalizer, text, position);
    token.matched_text = std::move(text.bytes);
  }
  if (token.content.empty()) view.fail("an added token is empty: remove it");
  if (token.matched_text.size() > kMaxTokenBytes) {
    view["content"].fail("an added token has more than 4096 bytes");
  }
  return token;
}

// Where the spaces that end text[low..high) begin; walks backwards over them only.
std::size_t spaces_begin(std::string_view text, std::size_t low, std::size_t high) {
  std::size_t begin = high;
  while (begin > low) {
    std::size_t at = begin - 1;
    while (at > low && (text[at] & 0xC0) == 0x80) --at;
    if (!is_space(decode_char(text, at).code)) break;
    begin = at;
  }
  return begin;
}

std::size_t spaces_end(std::string_view text) {  // of the spaces that begin `text`
  std::size_t i = 0;
  while (i < text.size()) {
    const DecodedChar c = decode_char(text, i);
    if (!is_space(c.code)) break;
    i += c.length;
  }
  return i;
}

bool ends_in_word(std::string_view text) {
  if (text.empty()) return false;
  std::size_t at = text.size() - 1;
  while (at > 0 && (text[at] & 0xC0) == 0x80) --at;
  return is_word(decode_char(text, at).code);
}

bool begins_in_word(std::string_view text) {
  return !text.empty() && is_word(decode_char(text, 0).code);
}

}  // namespace

std::vector<AddedToken> parse_added_tokens(const JsonView& list, const Vocab& vocab,
                                           const Normalizer& normalizer) {
  std::vector<AddedToken> tokens;
  std::unordered_map<std::string, std::size_t> index_of;
  std::int32_t next_id = vocab.size();
  for (const JsonView& view : list.items()) {
    AddedToken token = parse_added_token(view, normalizer);
    const std::int64_t file_id = view["id"].integer(0, kMaxFileId);
    const auto [known, is_new] = index_of.emplace(token.content, tokens.size());
    token.id = is_new ? vocab.find(token.content) : tokens[known->second].id;
    if (token.id == kNoToken) token.id = next_id++;
    if (token.id != file_id) {
      log::warning(view.where() + ": '" + token.content + "' has id " + std::to_string(token.id) +
                   ", not " + std::to_string(file_id) + ", as Hugging Face counts");
    }
    if (is_new) {
      tokens.push_back(token);
    } else {
      tokens[known->second] = token;
    }
  }
  return tokens;
}

TokenFinder::TokenFinder(const std::vector<AddedToken>& tokens, bool is_normalized) {
  nodes_.emplace_back();
  for (const AddedToken& token : tokens) {
    if (token.is_normalized != is_normalized || token.matched_text.empty()) continue;
    tokens_.push_back(token);
    insert(token.matched_text, static_cast<std::int32_t>(tokens_.size()) - 1);
  }
}

void TokenFinder::insert(std::string_view text, std::int32_t token) {
  is_first_byte_[static_cast<unsigned char>(text[0])] = true;
  std::int32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    std::int32_t next = child(node, byte);
    if (next < 0) {
      next = static_cast<std::int32_t>(nodes_.size());
      auto& children = nodes_[node].children;
      children.insert(std::lower_bound(children.begin(), children.end(), std::pair(byte, next)),
                      {byte, next});
      nodes_.emplace_back();
    }
    node = next;
  }
  nodes_[node].token = token;
}

std::int32_t TokenFinder::child(std::int32_t node, unsigned char byte) const {
  const auto& children = nodes_[node].children;
  const auto found =
      std::lower_bound(children.begin(), children.end(), std::pair(byte, std::int32_t{-1}));
  return found != children.end() && found->first == byte ? found->second : -1;
}

TokenFinder::Hit TokenFinder::longest_at(std::string_view text, std::size_t at) const {
  Hit hit;
  std::int32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    node = child(node, static_cast<unsigned char>(text[i]));
    if (node < 0) break;
    if (nodes_[node].token >= 0) hit = {i + 1, &tokens_[nodes_[node].token]};
  }
  return hit;
}

std::vector<Segment> TokenFinder::divide(std::string_view text, SpecialText special) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    while (at < text.size() && !is_first_byte_[static_cast<unsigned char>(text[at])]) ++at;
    if (at == text.size()) break;
    const Hit hit = longest_at(text, at);
    if (!hit.token) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = hit.end;
    at = hit.end;  // also of a match that is then given up: the library looks no shorter
    const AddedToken& token = *hit.token;
    if (special == SpecialText::ordinary && token.is_special) continue;
    if (token.is_single_word &&
        (ends_in_word(text.substr(0, begin)) || begins_in_word(text.substr(end)))) {
      continue;
    }
    if (token.strips_left) begin = spaces_begin(text, std::min(done, begin), begin);
    if (token.strips_right) end += spaces_end(text.substr(end));
    if (done < begin) segments.push_back({done, begin, kNoToken});
    segments.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({done, text.size(), kNoToken});
  return segments;
}

}  // namespace plumb::text
