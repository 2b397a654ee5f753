// Flags of generate and chat -> prompts as token ids, and how they are to be completed.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/generate.h"
#include "core/text/chat_template.h"
#include "recipes/use_model.h"
#include "recipes/use_options.h"

namespace plumb {

struct Prompt {
  std::string shown;  // what the user gave, printed before the completion; empty for a chat turn
  std::vector<int32_t> ids;
};

// --prompt and --prompts, put into a chat turn where --template asks for one; without either, the
// tokenizer's start token alone.
std::vector<Prompt> read_prompts(const GenerateOptions& options, const UsedModel& model);

// The conversation up to where the assistant begins. A text-to-text model reads it as a text of its
// own, with the EOS that its tokenizer ends a text with.
std::vector<int32_t> prompt_ids(const Conversation& conversation, const ChatTemplate& chat,
                                const UsedModel& model);

// The template that --template names; nothing for "none". "auto" is the model's own, and an Error
// where it has none.
std::optional<ChatTemplate> chosen_template(const GenerateOptions& options,
                                            const Tokenizer& tokenizer);

GenerateTask generate_task(const GenerateOptions& options, const UsedModel& model);

}  // namespace plumb
