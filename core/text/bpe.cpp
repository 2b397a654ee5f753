#include "core/text/bpe.h"

#include <algorithm>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

struct Candidate {
  std::int32_t rank;
  std::int32_t at;
  std::int32_t id;  // that the merge makes
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

}  // namespace

void Bpe::encode(std::string_view piece, ModelTokens& tokens) const {
  if (options_.ignore_merges) {
    const std::int32_t id = vocab_.find(piece);
    if (id != kNoToken) return tokens.add(id, 0, piece.size());
  }
  thread_local std::vector<Symbol> symbols;
  symbols.clear();
  append_symbols(piece, symbols);
  merge(symbols);
  std::size_t at = 0;
  for (const Symbol& symbol : symbols) {
    if (symbol.is_removed) continue;
    const std::size_t end = std::min(at + symbol.length, piece.size());
    tokens.add(symbol.id, at, end);
    at = end;
  }
}

std::int32_t Bpe::find_symbol(std::string_view symbol) const {
  const DecodedChar c = decode_char(symbol, 0);
  const bool is_one_char = static_cast<std::size_t>(c.length) == symbol.size();
  return is_one_char && c.code < char_ids_.size() ? char_ids_[c.code] : vocab_.find(symbol);
}

bool Bpe::append_bytes(std::string_view symbol, std::vector<Symbol>& symbols) const {
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (std::any_of(symbol.begin(), symbol.end(), [&](char c) { return id_of(c) == kNoToken; })) {
    return false;
  }
  for (const char c : symbol) symbols.push_back({id_of(c), 1});
  return true;
}

void Bpe::append_symbols(std::string_view piece, std::vector<Symbol>& symbols) const {
  symbols.reserve(piece.size());
  const bool has_prefix = !options_.continuing_subword_prefix.empty();
  const bool has_suffix = !options_.end_of_word_suffix.empty();
  std::string affixed;
  std::uint32_t unknown = 0;  // bytes of an unknown run that a known character will close
  const auto flush_unknown = [&] {
    if (unknown > 0) symbols.push_back({unk_id_, unknown});
    unknown = 0;
  };
  for (std::size_t i = 0; i < piece.size();) {
    const auto length = static_cast<std::uint32_t>(decode_char(piece, i).length);
    std::string_view symbol = piece.substr(i, length);
    const bool is_last = i + length == piece.size();
    if ((i > 0 && has_prefix) || (is_last && has_suffix)) {
      affixed = (i > 0 ? options_.continuing_subword_prefix : "") + std::string(symbol) +
                (is_last ? options_.end_of_word_suffix : "");
      symbol = affixed;
    }
    const std::int32_t id = find_symbol(symbol);
    if (id != kNoToken) {
      flush_unknown();
      symbols.push_back({id, length});
    } else if (options_.byte_fallback && append_bytes(symbol, symbols)) {
      // the library leaves a pending unknown run open here, and so do we
    } else if (!options_.unk_token.empty()) {
      if (unk_id_ == kNoToken) {
        throw Error("the tokenizer's unk_token '" + options_.unk_token +
                    "' is not in its vocabulary, and the text has a character that is not either");
      }
      if (!options_.fuse_unk) flush_unknown();
      unknown += length;
    }
    i += length;
  }
  flush_unknown();
}

void Bpe::merge(std::vector<Symbol>& list) const {
  const auto count = static_cast<std::int32_t>(list.size());
  if (count < 2) return;
  thread_local std::vector<Candidate> heap;
  heap.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    list[i].previous = i - 1;
    if (i + 1 == count) break;
    list[i].next = i + 1;
    const PairValue rule = merges_.find(list[i].id, list[i + 1].id);
    if (rule.first >= 0) heap.push_back({rule.first, i, rule.second});
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>{});
  const auto propose = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const PairValue rule = merges_.find(list[left].id, list[right].id);
    if (rule.first < 0) return;
    heap.push_back({rule.first, left, rule.second});
    std::push_heap(heap.begin(), heap.end(), std::greater<>{});
  };
  while (!heap.empty()) {
    const Candidate top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>{});
    heap.pop_back();
    Symbol& left = list[top.at];
    if (left.is_removed || left.next < 0) continue;
    Symbol& right = list[left.next];
    const PairValue rule = merges_.find(left.id, right.id);
    if (rule.first < 0 || rule.second != top.id) continue;  // one of the two has changed since
    left.id = top.id;
    left.length += right.length;
    left.next = right.next;
    right.is_removed = true;
    if (left.next >= 0) list[left.next].previous = top.at;
    propose(left.previous, top.at);
    propose(top.at, left.next);
  }
}

}  // namespace plumb::text
