// What a ChatTemplate is made of, and the steps from a conversation to tokens.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json.h"
#include "core/text/chat_template.h"
#include "core/text/jinja/template.h"

namespace plumb {

struct SpecialToken {
  std::string text;
  std::int32_t id = 0;
  bool is_recognised = true;  // the tokenizer finds it in text by itself
  bool takes_space = false;   // white space after it becomes part of it
};

// Special tokens by the byte they begin with; the longest first.
class SpecialTokenTable {
 public:
  explicit SpecialTokenTable(const Tokenizer& tokenizer);
  const SpecialToken* longest_at(std::string_view text, std::size_t at) const;

 private:
  std::vector<std::vector<SpecialToken>> by_first_byte_;
};

struct ChatTemplateParts {
  std::string name;
  ChatFormat format = ChatFormat::own;
  std::string source;
  jinja::Template main;
  std::optional<jinja::Template> for_tools;  // of conversations with tools, where it is another
  Tokenizer tokenizer;
  Json special_tokens;  // bos_token, eos_token, ...: variables of the template
  SpecialTokenTable specials;
  ChatClock clock;
};

// A special token in a rendered text.
struct FoundToken {
  std::size_t begin = 0;
  std::size_t end = 0;
  const SpecialToken* token = nullptr;
  bool is_forged = false;  // spelt by the data
};
std::vector<FoundToken> find_special(const SpecialTokenTable& specials,
                                     const jinja::TracedText& text);

// The variable `messages`: keys without a value dropped, reasoning under each of its names.
Json messages_json(const Conversation& conversation);

// One rendering of the first `count` messages.
jinja::Rendering render_messages(const ChatTemplateParts& parts, const Conversation& conversation,
                                 const Json& messages, std::size_t count, bool adds_prompt);

// One past the last byte of any message's words.
std::size_t end_of_words(const jinja::TracedText& text);

// All messages, up to where the last one's words end.
jinja::TracedText render_open(const ChatTemplateParts& parts, const Conversation& conversation);

// Parts of the text that are trained, in order, none empty; and the turns that could not be.
struct TrainedParts {
  std::vector<jinja::ByteRange> ranges;
  bool are_trained = true;  // false: the text is cut there all the same
  int untrained_turns = 0;
  std::string untrained_because;
};
TrainedParts find_trained(const ChatTemplateParts& parts, const Conversation& conversation,
                          const Json& messages, const jinja::Rendering& whole);

EncodedConversation encode_rendering(const ChatTemplateParts& parts,
                                     const Conversation& conversation,
                                     const jinja::TracedText& text, const TrainedParts& trained);

}  // namespace plumb
