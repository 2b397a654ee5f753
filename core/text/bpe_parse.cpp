#include "core/error.h"
#include "core/text/bpe.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr char32_t kIndexedChars = 0x200;  // covers the byte-level alphabet

// "a b" or ["a", "b"]; views into the JSON. `place` makes the view that errors name.
template <class Place>
std::pair<std::string_view, std::string_view> parse_pair(const Json& json, Place place) {
  if (json.is_string()) {
    const std::string_view text = json.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      place().fail("expected two tokens with one space between");
    }
    return {text.substr(0, space), text.substr(space + 1)};
  }
  const bool is_pair =
      json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string();
  if (!is_pair) place().fail("expected a pair of tokens");
  return {json[0].get_ref<const std::string&>(), json[1].get_ref<const std::string&>()};
}

template <class Place>
std::int32_t find_part(const Vocab& vocab, std::string_view token, Place place) {
  const std::int32_t id = vocab.find(token);
  if (id == kNoToken) {
    place().fail("'" + std::string(token) + "' of this merge is not in the vocabulary");
  }
  return id;
}

// Whether merging the two joins a character to a mark that follows it.
bool crosses_mark(std::string_view left, std::string_view right) {
  return right.starts_with(kMark) && !left.ends_with(kMark);
}

}  // namespace

Bpe Bpe::parse(const JsonView& model) {
  Bpe bpe;
  if (model.has("dropout") && model["dropout"].json() != 0.0) {
    model["dropout"].fail("BPE dropout is not supported: encoding must not be random; remove it");
  }
  bpe.options_.unk_token = model.string_or("unk_token", "");
  bpe.options_.continuing_subword_prefix = model.string_or("continuing_subword_prefix", "");
  bpe.options_.end_of_word_suffix = model.string_or("end_of_word_suffix", "");
  bpe.options_.fuse_unk = model.boolean_or("fuse_unk", false);
  bpe.options_.byte_fallback = model.boolean_or("byte_fallback", false);
  bpe.options_.ignore_merges = model.boolean_or("ignore_merges", false);
  bpe.vocab_ = parse_vocab(model["vocab"]);
  bpe.unk_id_ = bpe.vocab_.find(bpe.options_.unk_token);
  bpe.parse_merges(model["merges"]);
  bpe.index_symbols();
  return bpe;
}

void Bpe::parse_merges(const JsonView& view) {
  if (!view.json().is_array()) view.fail("expected a list");
  const Json& list = view.json();
  merges_.reserve(list.size());
  cuts_at_marks_ = vocab_.find(kMark) != kNoToken && !options_.ignore_merges &&
                   options_.continuing_subword_prefix.empty() &&
                   options_.end_of_word_suffix.empty();
  const std::size_t prefix_size = options_.continuing_subword_prefix.size();
  std::string merged;
  for (std::size_t rank = 0; rank < list.size(); ++rank) {
    const auto place = [&] {
      return JsonView(list[rank], view.where() + "[" + std::to_string(rank) + "]");
    };
    const bool is_version_line =
        list[rank].is_string() && list[rank].get_ref<const std::string&>().starts_with("#version");
    if (is_version_line) continue;  // ranks need only be in order
    const auto [left, right] = parse_pair(list[rank], place);
    const std::int32_t left_id = find_part(vocab_, left, place);
    const std::int32_t right_id = find_part(vocab_, right, place);
    if (right.size() < prefix_size) place().fail("its second token lacks the subword prefix");
    merged.assign(left).append(right.substr(prefix_size));
    const std::int32_t id = find_part(vocab_, merged, place);
    merges_.set(left_id, right_id, {static_cast<std::int32_t>(rank), id});
    if (crosses_mark(left, right)) cuts_at_marks_ = false;
  }
}

void Bpe::index_symbols() {
  byte_ids_ = byte_token_ids(vocab_);
  for (char32_t code = 0; code < kIndexedChars; ++code) {
    char_ids_.push_back(vocab_.find(from_char(code)));
  }
}

}  // namespace plumb::text
