#include "core/text/unigram.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/error.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 31;

// The score as the library reads its digits: all of them as one whole number, rounded to a double,
// and that divided by a power of ten. It may be off by one unit in the last place, and where two
// ways to cut a text have the same sum, such a unit decides.
double as_the_library_reads(double score) {
  char text[32];
  const auto written = std::to_chars(std::begin(text), std::end(text), std::abs(score),
                                     std::chars_format::scientific);
  const std::string_view number(text, static_cast<std::size_t>(written.ptr - text));
  const std::size_t e = number.find('e');
  std::uint64_t digits = 0;
  int exponent = std::atoi(std::string(number.substr(e + 1)).c_str());
  for (const char c : number.substr(0, e)) {
    if (c != '.') digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
  }
  exponent -= e > 1 ? static_cast<int>(e) - 2 : 0;
  constexpr int kMaxExponent = 308;
  if (std::abs(exponent) > kMaxExponent) return score;
  double power = 1;
  const std::string literal = "1e" + std::to_string(std::abs(exponent));
  std::from_chars(literal.data(), literal.data() + literal.size(), power);
  const auto whole = static_cast<double>(digits);
  return std::copysign(exponent < 0 ? whole / power : whole * power, score);
}

}  // namespace

Unigram Unigram::parse(const JsonView& model) {
  Unigram unigram;
  const std::vector<JsonView> entries = model["vocab"].items();
  unigram.vocab_.reserve(entries.size());
  unigram.scores_.reserve(entries.size());
  double lowest = std::numeric_limits<double>::infinity();
  for (const JsonView& entry : entries) {
    const Json& pair = entry.json();
    const bool is_pair =
        pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_number();
    if (!is_pair) entry.fail("expected [token, score]");
    const double score = as_the_library_reads(pair[1].get<double>());
    if (!std::isfinite(score)) entry.fail("expected a finite score");
    unigram.vocab_.add(pair[0].get_ref<const std::string&>(),
                       static_cast<std::int32_t>(unigram.scores_.size()), entry.where());
    unigram.scores_.push_back(score);
    lowest = std::min(lowest, score);
  }
  unigram.unk_score_ = lowest - kUnknownPenalty;
  if (model.has("unk_id")) {
    unigram.unk_id_ = static_cast<std::int32_t>(
        model["unk_id"].integer(0, static_cast<std::int64_t>(entries.size()) - 1));
  }
  unigram.trie_ = TokenTrie::of(unigram.vocab_, model.where() + ".vocab");
  if (model.boolean_or("byte_fallback", false)) unigram.byte_ids_ = byte_token_ids(unigram.vocab_);
  return unigram;
}

void Unigram::fail_unknown(std::string_view part) const {
  throw Error("the tokenizer's vocabulary has no token for '" + std::string(part.substr(0, 80)) +
              "', and it names no unknown token (unk_id)");
}

void Unigram::extend_paths(std::string_view piece, std::size_t at, std::vector<Node>& nodes) const {
  const double score = nodes[at].score;
  const auto offer = [&](std::size_t end, double token_score, std::int32_t id) {
    Node& node = nodes[end];
    if (node.begin >= 0 && token_score + score <= node.score) return;
    node = {token_score + score, static_cast<std::int32_t>(at), id};
  };
  const std::size_t char_length = decode_char(piece, at).length;
  bool has_char = false;
  TokenTrie::Step step = trie_.begin();
  for (std::size_t i = at; i < piece.size(); ++i) {
    step = trie_.next(step, piece[i]);
    if (step.node < 0) break;
    if (step.id == kNoToken) continue;
    offer(i + 1, scores_[step.id], step.id);
    has_char |= i + 1 - at == char_length;
  }
  if (has_char) return;
  if (unk_id_ == kNoToken) fail_unknown(piece.substr(at, char_length));
  offer(at + char_length, unk_score_, unk_id_);
}

bool Unigram::add_bytes(std::string_view piece, Match span, ModelTokens& tokens) const {
  if (byte_ids_.empty()) return false;
  const std::string_view part = piece.substr(span.begin, span.end - span.begin);
  const auto id_of = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  const bool has_all =
      std::all_of(part.begin(), part.end(), [&](char c) { return id_of(c) != kNoToken; });
  if (!has_all) return false;
  for (const char c : part) tokens.add(id_of(c), span.begin, span.end);
  return true;
}

void Unigram::add_token(std::string_view piece, Match span, ModelTokens& tokens) const {
  const std::string_view part = piece.substr(span.begin, span.end - span.begin);
  const std::int32_t id = vocab_.find(part);
  if (id != kNoToken) return tokens.add(id, span.begin, span.end);
  if (add_bytes(piece, span, tokens)) return;
  if (unk_id_ == kNoToken) fail_unknown(part);
  tokens.add(unk_id_, span.begin, span.end);
}

void Unigram::encode(std::string_view piece, ModelTokens& tokens) const {
  if (piece.size() >= kMaxPieceBytes) throw Error("a text of 2 GiB or more cannot be tokenized");
  thread_local std::vector<Node> nodes;
  nodes.assign(piece.size() + 1, {});
  for (std::size_t at = 0; at < piece.size(); at += decode_char(piece, at).length) {
    extend_paths(piece, at, nodes);
  }
  thread_local std::vector<Match> path;  // from the end
  path.clear();
  bool was_unknown = false;
  for (std::size_t end = piece.size(); end > 0;) {
    const Node& node = nodes[end];
    const auto begin = static_cast<std::size_t>(node.begin);
    const bool is_unknown = node.id == unk_id_;
    if (is_unknown && was_unknown) {
      path.back().begin = begin;
    } else {
      path.push_back({begin, end});
    }
    was_unknown = is_unknown;
    end = begin;
  }
  for (auto span = path.rbegin(); span != path.rend(); ++span) add_token(piece, *span, tokens);
}

}  // namespace plumb::text
