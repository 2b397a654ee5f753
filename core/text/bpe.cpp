#include "core/text/bpe.h"

#include <algorithm>
#include <queue>

#include "core/error.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxCachedPiece = 64;  // bytes; longer pieces are rarely seen twice
constexpr std::size_t kMaxCachedPieces = 1 << 16;

// Pieces that this thread has encoded, of one tokenizer at a time.
struct PieceCache {
  std::uint64_t owner = 0;
  std::unordered_map<std::string, std::vector<std::int32_t>, StringHash, std::equal_to<>> ids;
};

PieceCache& piece_cache(std::uint64_t owner) {
  thread_local PieceCache cache;
  if (cache.owner != owner || cache.ids.size() >= kMaxCachedPieces) {
    cache.owner = owner;
    cache.ids.clear();
  }
  return cache;
}

struct Symbol {
  std::int32_t id;
  std::int32_t previous;  // index, -1 at the start
  std::int32_t next;      // -1 at the end
  bool is_removed = false;
};

struct Candidate {
  std::int32_t rank;
  std::int32_t at;
  std::int32_t id;  // that the merge makes
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

using CandidateHeap =
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<Candidate>>;

}  // namespace

void MergeTable::reserve(std::size_t count) {
  std::size_t capacity = 16;
  while (capacity < 2 * count) capacity *= 2;
  entries_.assign(capacity, {});
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  const std::size_t mask = entries_.size() - 1;
  std::uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 32;
  std::size_t slot = mixed & mask;
  while (entries_[slot].key != kEmpty && entries_[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::set(std::int32_t left, std::int32_t right, MergeRule rule) {
  const std::uint64_t key =
      static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  entries_[slot_of(key)] = {key, rule};
}

MergeRule MergeTable::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t key =
      static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  return entries_[slot_of(key)].rule;
}

void Bpe::encode(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (options_.ignore_merges) {
    const std::int32_t id = vocab_.find(piece);
    if (id != kNoToken) return ids.push_back(id);
  }
  if (!cuts_at_marks_) return encode_part(piece, ids);
  std::size_t begin = 0;
  while (begin < piece.size()) {
    std::size_t at = begin;
    while (piece.substr(at).starts_with(kMark)) at += kMark.size();
    const std::size_t end = std::min(piece.find(kMark, at), piece.size());
    encode_part(piece.substr(begin, end - begin), ids);
    begin = end;
  }
}

void Bpe::encode_part(std::string_view piece, std::vector<std::int32_t>& ids) const {
  if (piece.size() > kMaxCachedPiece) return encode_uncached(piece, ids);
  PieceCache& cache = piece_cache(cache_key_);
  auto found = cache.ids.find(piece);
  if (found == cache.ids.end()) {
    std::vector<std::int32_t> piece_ids;
    encode_uncached(piece, piece_ids);
    found = cache.ids.emplace(std::string(piece), std::move(piece_ids)).first;
  }
  ids.insert(ids.end(), found->second.begin(), found->second.end());
}

void Bpe::encode_uncached(std::string_view piece, std::vector<std::int32_t>& ids) const {
  std::vector<std::int32_t> symbols = symbols_of(piece);
  merge(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

std::int32_t Bpe::find_symbol(std::string_view symbol) const {
  const DecodedChar c = decode_char(symbol, 0);
  const bool is_one_char = static_cast<std::size_t>(c.length) == symbol.size();
  return is_one_char && c.code < char_ids_.size() ? char_ids_[c.code] : vocab_.find(symbol);
}

bool Bpe::append_bytes(std::string_view symbol, std::vector<std::int32_t>& symbols) const {
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (std::any_of(symbol.begin(), symbol.end(), [&](char c) { return id_of(c) == kNoToken; })) {
    return false;
  }
  for (const char c : symbol) symbols.push_back(id_of(c));
  return true;
}

std::vector<std::int32_t> Bpe::symbols_of(std::string_view piece) const {
  std::vector<std::int32_t> symbols;
  symbols.reserve(piece.size());
  const bool has_prefix = !options_.continuing_subword_prefix.empty();
  const bool has_suffix = !options_.end_of_word_suffix.empty();
  std::string affixed;
  bool is_unk_pending = false;  // an unknown run that a known character will close
  const auto flush_unk = [&] {
    if (is_unk_pending) symbols.push_back(unk_id_);
    is_unk_pending = false;
  };
  for (std::size_t i = 0; i < piece.size();) {
    const std::size_t length = decode_char(piece, i).length;
    std::string_view symbol = piece.substr(i, length);
    const bool is_last = i + length == piece.size();
    if ((i > 0 && has_prefix) || (is_last && has_suffix)) {
      affixed = (i > 0 ? options_.continuing_subword_prefix : "") + std::string(symbol) +
                (is_last ? options_.end_of_word_suffix : "");
      symbol = affixed;
    }
    const std::int32_t id = find_symbol(symbol);
    if (id != kNoToken) {
      flush_unk();
      symbols.push_back(id);
    } else if (options_.byte_fallback && append_bytes(symbol, symbols)) {
      // the library leaves a pending unknown run open here, and so do we
    } else if (!options_.unk_token.empty()) {
      if (unk_id_ == kNoToken) {
        throw Error("the tokenizer's unk_token '" + options_.unk_token +
                    "' is not in its vocabulary, and the text has a character that is not either");
      }
      if (!options_.fuse_unk) flush_unk();
      is_unk_pending = true;
    }
    i += length;
  }
  flush_unk();
  return symbols;
}

void Bpe::merge(std::vector<std::int32_t>& symbols) const {
  const auto count = static_cast<std::int32_t>(symbols.size());
  if (count < 2) return;
  std::vector<Symbol> list(symbols.size());
  std::vector<Candidate> first;
  for (std::int32_t i = 0; i < count; ++i) {
    list[i] = {symbols[i], i - 1, i + 1 < count ? i + 1 : -1};
    if (i + 1 == count) break;
    const MergeRule rule = merges_.find(symbols[i], symbols[i + 1]);
    if (rule.rank >= 0) first.push_back({rule.rank, i, rule.id});
  }
  CandidateHeap heap(std::greater<Candidate>{}, std::move(first));
  const auto propose = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const MergeRule rule = merges_.find(list[left].id, list[right].id);
    if (rule.rank >= 0) heap.push({rule.rank, left, rule.id});
  };
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    Symbol& left = list[top.at];
    if (left.is_removed || left.next < 0) continue;
    Symbol& right = list[left.next];
    const MergeRule rule = merges_.find(left.id, right.id);
    if (rule.rank < 0 || rule.id != top.id) continue;  // one of the two has changed since
    left.id = top.id;
    left.next = right.next;
    right.is_removed = true;
    if (left.next >= 0) list[left.next].previous = top.at;
    propose(left.previous, top.at);
    propose(top.at, left.next);
  }
  symbols.clear();
  for (const Symbol& symbol : list) {
    if (!symbol.is_removed) symbols.push_back(symbol.id);
  }
}

}  // namespace plumb::text
