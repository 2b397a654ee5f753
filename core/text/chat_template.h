// Conversations as text and as tokens, by a chat template: Jinja, as transformers applies it
// (core/text/jinja). The built-in formats are templates too.
//
// Tokens are those of apply_chat_template(tokenize=True): the rendered text is encoded whole and
// nothing is put around it, so a BOS stands where the template writes one, once. Two things differ,
// on purpose. The text is cut where a turn of the assistant begins and ends, because generation
// begins there too; so the tokens of a prompt are the first ones of the conversation it is of. And
// where words of the data spell a special token they are encoded as ordinary text (what
// sanitize_control_tokens does in transformers): the first and the last byte of a special token
// must be the template's own, so '<|' + role + '|>' still makes one.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_format.h"
#include "core/text/chat_message.h"
#include "core/text/tokenizer.h"

namespace plumb {

struct ChatTemplateParts;  // core/text/chat_parts.h

// What follows the last message: nothing, what opens the assistant's turn, or nothing but with the
// last message left open, to be gone on with.
enum class GenerationPrompt { omit, add, continue_last };

// Where strftime_now gets its time.
struct ChatClock {
  std::string date;  // "2024-07-26"; empty: now
};

struct EncodedConversation {
  std::vector<std::int32_t> ids;
  std::vector<Span> spans;  // cover ids without gaps; neighbours of equal role and training merged
  // Turns of the assistant that are not trained, because the template does not render them the same
  // way with and without what follows, and why: for the first of them.
  int untrained_turns = 0;
  std::string untrained_because;
};

class ChatTemplate {
 public:
  // Each throws Error: for a template that does not parse, one that names template and line.
  static ChatTemplate builtin(ChatFormat format, const Tokenizer& tokenizer);
  // The tokenizer's own: its chat_template.jinja, else chat_template of its config; of several the
  // one called `name`, else "tool_use" for conversations with tools and "default" for others.
  // Nothing when it has none.
  static std::optional<ChatTemplate> own(const Tokenizer& tokenizer, const std::string& name = "");
  static ChatTemplate from_file(const std::string& path, const Tokenizer& tokenizer);
  // By the word that a user wrote: a built-in's name, "model", "model:NAME" or the path of a .jinja
  // file. `source` ("data.template") is named in errors.
  static ChatTemplate choose(const std::string& word, const Tokenizer& tokenizer,
                             const std::string& source);

  ChatTemplate with_clock(ChatClock clock) const;

  const std::string& name() const;  // the word of choose(); a built-in's where the text is its
  ChatFormat format() const;        // `own` where it is no built-in
  std::string source() const;       // of all its templates: what a hash of data must cover
  bool depends_on_date() const;     // whether it calls strftime_now
  std::string date() const;         // that strftime_now gives: 2024-07-26

  // Throws Error on no messages and where the template refuses (its own words).
  std::string render(const Conversation& conversation,
                     GenerationPrompt prompt = GenerationPrompt::omit) const;
  // With `omit`, the assistant's turns are trained with their ends: the parts in {% generation %}
  // blocks where the template has some, else what rendering turn by turn shows to be theirs.
  EncodedConversation encode(const Conversation& conversation,
                             GenerationPrompt prompt = GenerationPrompt::omit) const;
  // The special token that stands right after an answer: <|im_end|>, <end_of_turn>. Generation ends
  // there, whether or not generation_config.json says so. Nothing where text, or nothing, follows,
  // and where the template does not render a question and its answer.
  std::optional<std::int32_t> end_of_turn() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const ChatTemplateParts> parts)
      : parts_(std::move(parts)) {}
  std::shared_ptr<const ChatTemplateParts> parts_;
};

// That of the tokenizer's own template; nothing where it has none, or one that does not parse.
std::optional<std::int32_t> end_of_turn(const Tokenizer& tokenizer);

}  // namespace plumb
