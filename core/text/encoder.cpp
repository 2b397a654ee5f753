#include "core/text/encoder.h"

#include <algorithm>

#include "core/text/piece_cache.h"

namespace plumb::text {

namespace {

// What comes before `begin` decides: nothing, part of the same input, or an earlier text.
TextPosition position_at(std::size_t begin, TextPosition of_input) {
  const bool is_later = begin > 0 && of_input == TextPosition::start;
  return is_later ? TextPosition::later : of_input;
}

class Encoder {
 public:
  Encoder(const TokenizerParts& parts, const EncodeInput& input, bool has_spans)
      : parts_(parts), input_(input) {
    tokens_.has_spans = has_spans;
    if (const auto* bpe = std::get_if<Bpe>(&parts.model)) cuts_at_marks_ = bpe->cuts_at_marks();
  }

  ModelTokens run() {
    for (const Segment& raw : parts_.raw_finder->divide(input_.text, input_.special)) {
      if (raw.id != kNoToken) {
        tokens_.add(raw.id, raw.begin, raw.end);
      } else {
        encode_raw(raw);
      }
    }
    return std::move(tokens_);
  }

 private:
  void encode_raw(const Segment& raw) {
    TextPosition position = position_at(raw.begin, input_.position);
    TrackedText text = TrackedText::of(input_.text.substr(raw.begin, raw.end - raw.begin),
                                       raw.begin, tokens_.has_spans);
    const TextPosition before = position;
    normalize(parts_.normalizer, text, position);
    if (position != before && !begins_later(text, raw)) position = before;
    if (parts_.normalized_finder->is_empty()) {
      return encode_normalized(PieceList::of(std::move(text), position));
    }
    for (const Segment& segment : parts_.normalized_finder->divide(text.bytes, input_.special)) {
      if (segment.id == kNoToken) {
        encode_normalized(PieceList::of(text.part(segment.begin, segment.end),
                                        position_at(segment.begin, position)));
      } else {
        const Origin origin =
            text.is_tracked ? text.origin_of(segment.begin, segment.end) : Origin{};
        tokens_.add(segment.id, origin.begin, origin.end);
      }
    }
  }

  // Whether what was cut off the start was a whole character of the input: of one that a normal
  // form took apart, what is left still stands at the start. Only origins tell.
  bool begins_later(const TrackedText& text, const Segment& raw) const {
    if (!text.is_tracked) {
      TrackedText tracked =
          TrackedText::of(input_.text.substr(raw.begin, raw.end - raw.begin), raw.begin, true);
      TextPosition unused = TextPosition::later;
      normalize(parts_.normalizer, tracked, unused);
      return begins_later(tracked, raw);
    }
    return !text.origins.empty() && text.origins.front().begin > raw.begin;
  }

  void encode_normalized(PieceList list) {
    const PreTokenizer& steps = parts_.pre_tokenizer;
    const std::size_t end = tokens_.has_spans ? steps.steps.size() : steps.first_local;
    pre_tokenize(steps, 0, end, list);
    for (const Piece& piece : list.pieces) {
      if (cuts_at_marks_) {
        encode_parts(list, piece);
      } else {
        encode_piece(list, piece);
      }
    }
  }

  // Bpe::cuts_at_marks: each mark begins a part; marks in a row stay together.
  void encode_parts(const PieceList& list, const Piece& piece) {
    const std::string_view text = std::string_view(list.text.bytes).substr(0, piece.end);
    for (std::size_t begin = piece.begin; begin < piece.end;) {
      std::size_t at = begin;
      while (text.substr(at).starts_with(kMark)) at += kMark.size();
      const std::size_t end = std::min(text.find(kMark, at), piece.end);
      encode_piece(list, {begin, end, false});
      begin = end;
    }
  }

  void encode_piece(const PieceList& list, const Piece& piece) {
    const std::string_view text = list.view(piece);
    if (tokens_.has_spans) return encode_spans(list, piece);
    if (text.size() > kMaxCachedPiece) return encode_fresh(text, tokens_);
    PieceCache& cache = PieceCache::of_thread();
    if (const auto known = cache.find(parts_.cache_owner, text)) {
      tokens_.ids.insert(tokens_.ids.end(), known->begin(), known->end());
      return;
    }
    const std::size_t count = tokens_.ids.size();
    encode_fresh(text, tokens_);
    cache.put(parts_.cache_owner, text, std::span(tokens_.ids).subspan(count));
  }

  // By the steps from first_local on, and the model.
  void encode_fresh(std::string_view text, ModelTokens& tokens) {
    const PreTokenizer& steps = parts_.pre_tokenizer;
    if (steps.first_local == steps.steps.size()) return encode_by_model(text, tokens);
    PieceList list = PieceList::of(TrackedText{std::string(text), {}, false}, TextPosition::later);
    pre_tokenize(steps, steps.first_local, steps.steps.size(), list);
    for (const Piece& piece : list.pieces) encode_by_model(list.view(piece), tokens);
  }

  void encode_by_model(std::string_view text, ModelTokens& tokens) {
    std::visit([&](const auto& model) { model.encode(text, tokens); }, parts_.model);
  }

  void encode_spans(const PieceList& list, const Piece& piece) {
    const std::size_t count = tokens_.ids.size();
    encode_by_model(list.view(piece), tokens_);
    for (std::size_t i = count; i < tokens_.ids.size(); ++i) {
      Match& span = tokens_.spans[i];
      if (span.begin >= span.end) {
        span = {};
        continue;
      }
      const Origin origin = list.text.origin_of(piece.begin + span.begin, piece.begin + span.end);
      span = {origin.begin, origin.end};
    }
  }

  const TokenizerParts& parts_;
  const EncodeInput& input_;
  ModelTokens tokens_;
  bool cuts_at_marks_ = false;
};

}  // namespace

std::vector<std::int32_t> encode_ids(const TokenizerParts& parts, const EncodeInput& input) {
  return Encoder(parts, input, false).run().ids;
}

ModelTokens encode_with_spans(const TokenizerParts& parts, const EncodeInput& input) {
  return Encoder(parts, input, true).run();
}

}  // namespace plumb::text
