// Conversations as text and as tokens. A template is rendered as pieces, so which tokens belong to
// whom is known by construction: each piece is encoded by itself, and no token ever spans two.
// The formats are built in and named; Jinja templates are not run.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer.h"

namespace plumb {

enum class Role : std::uint8_t { system, user, assistant, markup };

struct Message {
  Role role = Role::user;  // never markup
  std::string content;
};

// "system", "user" (or "human"), "assistant" (or "gpt", "model"); anything else is an Error that
// names `source`.
Role parse_role(std::string_view name, const std::string& source);
std::string_view role_name(Role role);

enum class ChatFormat {
  chatml,  // <|im_start|>user\n...<|im_end|>\n
  plain,   // "\n\nHuman: ...\n\nAssistant: ...", as in hh-rlhf
  llama2,  // [INST] ... [/INST] ... </s>
  alpaca,  // ### Instruction:\n...\n\n### Response:\n...
  none,    // the contents, one after another
};
ChatFormat parse_chat_format(std::string_view name, const std::string& source);
std::string_view chat_format_name(ChatFormat format);
// "chatml, plain, llama2, alpaca, none": for option fields and errors.
std::vector<std::string> chat_format_names();

// A token of the tokenizer that a piece ends with, when the tokenizer has it.
enum class TurnToken { none, bos, eos };

struct RenderedPiece {
  std::string text;
  Role role = Role::markup;           // whose words these are; markup for the template's own text
  bool is_trained = false;            // the assistant's content and the end of its turn
  bool is_markup = false;             // the template's text: special tokens are recognised in it
  TurnToken token = TurnToken::none;  // comes after `text`; no EOS after a text that is a token
                                      // itself, as <|im_end|> may be
};

// Throws Error on no messages; where the format has no place for one, on a system message that is
// not the first, and (llama2, alpaca) on turns that do not alternate. With `add` the last piece
// opens the assistant's turn; in `plain` and `llama2` the model then writes the space before its
// first word.
enum class GenerationPrompt { omit, add };
std::vector<RenderedPiece> render(ChatFormat format, std::span<const Message> messages,
                                  GenerationPrompt prompt = GenerationPrompt::omit);

struct Span {
  std::int64_t begin = 0;  // index of the first token
  std::int64_t end = 0;    // one past the last
  Role role = Role::markup;
  bool is_trained = false;
};

struct EncodedConversation {
  std::vector<std::int32_t> ids;
  std::vector<Span> spans;  // cover ids without gaps; neighbours of equal role and training merged
};

// Begins with what the tokenizer's post-processor puts before a text (BOS). Markup is encoded as
// encode_plain does, what people wrote as encode_literal, and pieces after the first as
// continuations, so decoding gives the rendered text.
EncodedConversation encode_conversation(const Tokenizer& tokenizer,
                                        std::span<const RenderedPiece> pieces);

// The Jinja text with which apply_chat_template of transformers renders the same text as this
// format does with this tokenizer.
std::string jinja_of(ChatFormat format, const Tokenizer& tokenizer);
// The tokenizer's files with that as `chat_template` of tokenizer_config.json.
void save_tokenizer_with_template(const Tokenizer& tokenizer, ChatFormat format,
                                  const std::string& folder);

// The built-in format whose Jinja text is the tokenizer's own, or nothing when it has none; an
// Error that says to set `data.template` when it has another.
std::optional<ChatFormat> template_from_folder(const Tokenizer& tokenizer);

}  // namespace plumb
