// The templates that come with Plumb, by name: for models that bring none, as base models do.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

enum class ChatFormat {
  chatml,  // <|im_start|>user\n...<|im_end|>\n
  plain,   // "\n\nHuman: ...\n\nAssistant: ...", as in hh-rlhf
  llama2,  // [INST] ... [/INST] ... </s>
  alpaca,  // ### Instruction:\n...\n\n### Response:\n...
  none,    // the contents, one after another
  own,     // none of these: the model's, or a file's
};
ChatFormat parse_chat_format(std::string_view name, const std::string& source);
std::string_view chat_format_name(ChatFormat format);
std::vector<std::string> chat_format_names();  // without "own"

// Its Jinja text for this tokenizer: the assistant's turn ends with EOS, and the whole begins with
// BOS, where the tokenizer has them. Not for `own`.
std::string jinja_of(ChatFormat format, const Tokenizer& tokenizer);

}  // namespace plumb
