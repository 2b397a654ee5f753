#include "core/text/sentencepiece.h"

#include <cmath>
#include <unordered_set>

#include "core/error.h"
#include "core/text/protobuf.h"
#include "core/text/unicode.h"

namespace plumb::text {

namespace {

constexpr std::size_t kMaxPieces = 1 << 24;

SentencePiece parse_piece(std::string_view bytes, const std::string& where) {
  SentencePiece piece;
  ProtoReader reader(bytes, where);
  ProtoField field;
  while (reader.next(field)) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2) piece.score = field.as_float();
    if (field.number == 3) {
      if (field.value < 1 || field.value > 6) reader.fail("a piece of unknown type");
      piece.kind = static_cast<SentencePiece::Kind>(field.value);
    }
  }
  if (piece.text.empty() || !is_valid_utf8(piece.text)) {
    reader.fail("a piece is empty or not UTF-8");
  }
  if (!std::isfinite(piece.score)) reader.fail("a piece's score is not finite");
  return piece;
}

void parse_trainer(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  ProtoReader reader(bytes, where);
  ProtoField field;
  while (reader.next(field)) {
    switch (field.number) {
      case 3:
        if (field.value < 1 || field.value > 4) reader.fail("a model of unknown type");
        model.algorithm = static_cast<SentencePieceModel::Algorithm>(field.value);
        break;
      case 35:
        model.byte_fallback = field.value != 0;
        break;
      case 40:
        model.unk_id = field.as_int32();
        break;
      case 41:
        model.bos_id = field.as_int32();
        break;
      case 42:
        model.eos_id = field.as_int32();
        break;
      case 43:
        model.pad_id = field.as_int32();
        break;
      case 45:
        model.unk_piece = field.bytes;
        break;
      default:
        break;
    }
  }
}

void parse_normalizer_spec(std::string_view bytes, const std::string& where,
                           SentencePieceModel& model) {
  ProtoReader reader(bytes, where);
  ProtoField field;
  while (reader.next(field)) {
    if (field.number == 2) model.charsmap = field.bytes;
  }
}

void check(const SentencePieceModel& model, const ProtoReader& reader) {
  if (model.pieces.empty()) reader.fail("it has no pieces");
  std::unordered_set<std::string_view> seen;
  for (const SentencePiece& piece : model.pieces) {
    if (!seen.insert(piece.text).second) reader.fail("the piece '" + piece.text + "' comes twice");
  }
  const auto count = static_cast<std::int64_t>(model.pieces.size());
  for (const std::int32_t id : {model.unk_id, model.bos_id, model.eos_id, model.pad_id}) {
    if (id >= count) reader.fail("a special token has id " + std::to_string(id));
  }
  if (!is_valid_utf8(model.unk_piece)) reader.fail("its unk_piece is not UTF-8");
}

}  // namespace

const std::string& SentencePieceModel::piece_or_empty(std::int32_t id) const {
  static const std::string none;
  return id < 0 ? none : pieces.at(static_cast<std::size_t>(id)).text;
}

SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  ProtoReader reader(bytes, where);
  ProtoField field;
  while (reader.next(field)) {
    if (field.number > 3 || field.kind != ProtoField::Kind::bytes) continue;
    if (field.number == 1) {
      if (model.pieces.size() >= kMaxPieces) reader.fail("more than 2^24 pieces");
      model.pieces.push_back(parse_piece(field.bytes, where));
    } else if (field.number == 2) {
      parse_trainer(field.bytes, where, model);
    } else {
      parse_normalizer_spec(field.bytes, where, model);
    }
  }
  check(model, reader);
  return model;
}

}  // namespace plumb::text
