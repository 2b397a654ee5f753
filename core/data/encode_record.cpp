#include "core/data/encode_record.h"

#include <algorithm>
#include <iterator>

namespace plumb {
namespace {

Sequence encode_text(const std::string& text, const EncodePlan& plan) {
  Sequence sequence;
  sequence.tokens = plan.document_start;
  const auto ids = plan.tokenizer->encode_plain(text);
  sequence.tokens.insert(sequence.tokens.end(), ids.begin(), ids.end());
  sequence.tokens.insert(sequence.tokens.end(), plan.document_end.begin(), plan.document_end.end());
  sequence.spans = {{0, static_cast<std::int64_t>(sequence.tokens.size()), Role::assistant, true}};
  return sequence;
}

// The last answer and what follows it leave the turns; empty where there is none.
std::string take_answer(std::vector<Message>& turns) {
  const auto last = std::find_if(turns.rbegin(), turns.rend(),
                                 [](const Message& turn) { return turn.role == Role::assistant; });
  if (last == turns.rend()) return "";
  std::string answer = std::move(last->content);
  turns.erase(std::prev(last.base()), turns.end());
  return answer;
}

// The turns before the last answer as the template has them, and the answer, each tokenised as a
// text of its own: so these models are trained, and so their tokenizers mark a text's beginning.
Sequence encode_pair(std::vector<Message> turns, const Record& record, const EncodePlan& plan,
                     const std::string& where) {
  const bool is_prompt = plan.rows.kind == SampleKind::prompt;
  const std::string answer = is_prompt ? "" : take_answer(turns);
  Sequence sequence;
  try {
    sequence.tokens =
        plan.chat->encode({turns, record.tools, "", record.variables}, GenerationPrompt::add).ids;
  } catch (const Error& error) {
    throw RowError("refused by the template", where, error.what());
  }
  std::vector<std::int32_t>& tokens = sequence.tokens;
  tokens.insert(tokens.end(), plan.prompt_end.begin(), plan.prompt_end.end());
  if (tokens.empty())
    throw RowError("empty prompt", where, "the encoder is given no token to read");
  const auto source = static_cast<std::int64_t>(tokens.size());
  sequence.spans = {{0, source, Role::user, false}};
  if (answer.empty()) return sequence;
  const std::vector<std::int32_t> ids = plan.tokenizer->encode_literal(answer);
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  tokens.insert(tokens.end(), plan.answer_end.begin(), plan.answer_end.end());
  sequence.spans.push_back(
      {source, static_cast<std::int64_t>(tokens.size()), Role::assistant, true});
  return sequence;
}

Sequence encode_turns(const std::vector<Message>& turns, const Record& record,
                      const EncodePlan& plan, const std::string& where, EncodedRow& row) {
  if (plan.is_text_to_text) return encode_pair(turns, record, plan, where);
  const bool is_prompt = plan.rows.kind == SampleKind::prompt;
  EncodedConversation encoded;
  try {
    encoded = plan.chat->encode({turns, record.tools, "", record.variables},
                                is_prompt ? GenerationPrompt::add : GenerationPrompt::omit);
  } catch (const Error& error) {
    throw RowError("refused by the template", where, error.what());
  }
  if (encoded.untrained_turns > 0 && row.untrained_turns == 0) {
    row.untrained_because = where + ": " + encoded.untrained_because;
  }
  row.untrained_turns += encoded.untrained_turns;
  return {std::move(encoded.ids), std::move(encoded.spans)};
}

bool has_answer(const std::vector<Message>& turns) {
  return std::any_of(turns.begin(), turns.end(), [](const Message& turn) {
    return turn.role == Role::assistant &&
           (turn.content.find_first_not_of(" \t\r\n") != std::string::npos ||
            turn.json.find("\"tool_calls\"") != std::string::npos);
  });
}

void cut(Sequence& sequence, std::int64_t max_length) {
  sequence.tokens.resize(static_cast<std::size_t>(max_length));
  std::erase_if(sequence.spans, [&](const Span& span) { return span.begin >= max_length; });
  if (!sequence.spans.empty()) {
    sequence.spans.back().end = std::min(sequence.spans.back().end, max_length);
  }
}

// Holds the sequences to max_length as the plan says; false when the row is to be dropped.
bool fit(EncodedRow& row, const EncodePlan& plan, const std::string& where) {
  for (const Sequence& sequence : row.sample.sequences) {
    row.longest = std::max(row.longest, static_cast<std::int64_t>(sequence.tokens.size()));
  }
  if (plan.max_length == 0 || row.longest <= plan.max_length) return true;
  row.story = where + ": it has " + std::to_string(row.longest) + " tokens; max_length is " +
              std::to_string(plan.max_length);
  if (plan.too_long == TooLong::error) {
    throw Error(row.story + ". Raise data.max_length, or set data.too_long to cut or drop");
  }
  if (plan.too_long == TooLong::drop) {
    row.reason = "too long";
    return false;
  }
  row.was_cut = true;
  row.story.clear();
  for (Sequence& sequence : row.sample.sequences) {
    const auto size = static_cast<std::int64_t>(sequence.tokens.size());
    if (size > plan.max_length) cut(sequence, plan.max_length);
  }
  return true;
}

void refuse(EncodedRow& row, const std::string& reason, const std::string& story) {
  row.reason = reason;
  row.story = story;
}

void check_labels(EncodedRow& row, const Record& record, const EncodePlan& plan,
                  const std::string& where) {
  const auto is_untrained = [](const Sequence& sequence) { return trained_tokens(sequence) == 0; };
  const auto& sequences = row.sample.sequences;
  const bool is_text = plan.rows.format == RowFormat::text;
  if (plan.rows.kind == SampleKind::conversation && !is_text && !has_answer(record.turns)) {
    row.is_unlabelled = true;
    refuse(row, "no answer", where + ": no assistant's turn has any words");
  } else if (std::any_of(sequences.begin(), sequences.end(), is_untrained) &&
             row.untrained_turns > 0) {
    row.is_unlabelled = true;
    refuse(row, "template rewrites turns",
           row.untrained_because +
               ", so what is the assistant's cannot be told. Use a template with {% generation %} "
               "blocks, or one that keeps earlier turns as they are (data.template)");
  } else if (std::any_of(sequences.begin(), sequences.end(), is_untrained)) {
    row.is_unlabelled = true;
    refuse(row, row.was_cut ? "labels cut off" : "nothing to train",
           where + ": no trained token" +
               (row.was_cut ? " is left of its " + std::to_string(row.longest) + " at max_length " +
                                  std::to_string(plan.max_length)
                            : " in it"));
  } else if (plan.rows.kind == SampleKind::preference &&
             row.sample.chosen().tokens == row.sample.rejected().tokens) {
    refuse(row, "chosen equals rejected", where + ": chosen and rejected are the same tokens");
  }
}

}  // namespace

EncodedRow encode_record(const Record& record, const EncodePlan& plan, const std::string& where) {
  EncodedRow row;
  const bool is_text = plan.rows.format == RowFormat::text;
  if (is_text && record.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    refuse(row, "empty text", where + ": the text is empty");
    return row;
  }
  try {
    row.sample.sequences.push_back(is_text ? encode_text(record.text, plan)
                                           : encode_turns(record.turns, record, plan, where, row));
    if (plan.rows.kind == SampleKind::preference) {
      row.sample.sequences.push_back(encode_turns(record.rejected, record, plan, where, row));
    }
  } catch (const RowError& error) {
    refuse(row, error.reason, error.what());
    return row;
  }
  row.sample.margin = record.margin;
  row.sample.answer = record.answer;
  if (fit(row, plan, where) && plan.rows.kind != SampleKind::prompt) {
    check_labels(row, record, plan, where);
  }
  return row;
}

}  // namespace plumb
