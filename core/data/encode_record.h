// A record becomes a sample: rendered by the template, tokenised, held to the length limit.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/records.h"
#include "core/data/sample.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace plumb {

enum class TooLong { cut, drop, error };

struct EncodePlan {
  RowPlan rows;
  const Tokenizer* tokenizer = nullptr;
  std::optional<ChatTemplate> chat;  // of all rows but texts
  std::vector<std::int32_t>
      document_start;                      // what the tokenizer puts before a text: BOS, or nothing
  std::vector<std::int32_t> document_end;  // EOS, when there is one and documents end with it
  // Of text-to-text models, which read prompt and answer as two texts: what ends each.
  bool is_text_to_text = false;
  std::vector<std::int32_t> prompt_end, answer_end;
  std::int64_t max_length = 0;  // tokens of a sequence at most; 0: no limit
  TooLong too_long = TooLong::cut;
};

struct EncodedRow {
  Sample sample;
  std::int64_t longest = 0;  // tokens of its longest sequence before cutting
  bool was_cut = false;
  std::string reason;          // why it gives no sample; empty when it does
  std::string story;           // the same at length, with file:line
  bool is_unlabelled = false;  // the reason is that no token is trained
  int untrained_turns = 0;     // of the assistant: see EncodedConversation
  std::string untrained_because;
};

// Never throws for what is wrong with the row: that is `reason`. Throws Error for a row over
// max_length under TooLong::error.
EncodedRow encode_record(const Record& record, const EncodePlan& plan, const std::string& where);

}  // namespace plumb
