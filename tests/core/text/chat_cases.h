// Conversations and tokenizers for the tests of chat templates.
#pragma once
#include <string>
#include <vector>

#include "core/io/json.h"
#include "core/text/chat_template.h"

namespace plumb::test {

// {messages, tools?, documents?, variables?}, as the oracle's scripts write it.
Conversation conversation_of(const Json& dialogue);

// A byte-level tokenizer without merges, with these tokens as special ones: {"bos_token": "<s>"},
// and more of them.
Tokenizer tokenizer_with(const Json& special, const std::vector<std::string>& more = {},
                         const std::string& chat_template = "");

// The texts of the trained spans and of what lies between, trained ones in [[ ]].
std::string marked(const Tokenizer& tokenizer, const EncodedConversation& encoded);

}  // namespace plumb::test
