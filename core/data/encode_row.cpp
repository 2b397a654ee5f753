#include "core/data/encode_row.h"

#include <string_view>

#include "core/text/parallel.h"

namespace plumb {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::vector<std::int32_t> encode_piece(std::string_view text, const RowWork& work,
                                       const EncodePlan& plan) {
  std::vector<std::int32_t> tokens;
  if (work.is_first_piece) tokens = plan.document_start;
  const auto ids = work.is_first_piece
                       ? plan.tokenizer->encode_plain(text)
                       : plan.tokenizer->encode_continuation(text, SpecialText::recognised);
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  if (work.raw.ends_row) {
    tokens.insert(tokens.end(), plan.document_end.begin(), plan.document_end.end());
  }
  return tokens;
}

void encode_json_row(RowWork& work, const EncodePlan& plan) {
  const Json json = parse_row(work.raw);
  const Record record = read_record(json, plan.rows, work.raw.where);
  if (plan.rows.kind == SampleKind::text && !is_blank(record.text)) {
    work.tokens = encode_piece(record.text, work, plan);
    return;
  }
  work.encoded = encode_record(record, plan, work.raw.where);
  if (plan.rows.kind == SampleKind::prompt) work.encoded.sample.columns = json.dump();
}

}  // namespace

Json parse_row(const RawRow& raw) {
  if (!raw.fault.empty()) throw RowError("unreadable", raw.where, raw.fault);
  try {
    return parse_json(raw.bytes, raw.where);
  } catch (const Error& error) {
    throw RowError("malformed JSON", error);
  }
}

void encode_row(RowWork& work, RawKind kind, const EncodePlan& plan) {
  try {
    if (kind == RawKind::json) {
      encode_json_row(work, plan);
    } else {
      work.tokens = encode_piece(work.raw.bytes, work, plan);
    }
  } catch (const RowError& error) {
    work.encoded.reason = error.reason;
    work.encoded.story = error.what();
  } catch (...) {
    work.error = std::current_exception();
  }
}

void encode_rows(std::vector<RowWork>& works, RawKind kind, const EncodePlan& plan, int threads) {
  text::for_each_index(works.size(), threads,
                       [&](std::size_t i) { encode_row(works[i], kind, plan); });
}

}  // namespace plumb
