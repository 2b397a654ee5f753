// Whole transcripts as in hh-rlhf: "\n\nHuman: ...\n\nAssistant: ...".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_message.h"

namespace plumb {

bool is_transcript(std::string_view text);  // begins with one of the two marks

// The turns. One space after a mark belongs to the mark. Turns in a row of one role (hh-rlhf has
// some) are joined by a blank line. The last turn may be empty: "...\n\nAssistant:".
std::vector<Message> parse_transcript(std::string_view text);

// The text up to and with the last "\n\nAssistant:", and what follows it.
struct SplitTranscript {
  std::string prompt;
  std::string response;
};
SplitTranscript split_at_last_answer(std::string_view text);

}  // namespace plumb
