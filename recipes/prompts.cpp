#include "recipes/prompts.h"

#include "core/error.h"
#include "core/text/suffix_ids.h"
#include "recipes/common/text_column.h"

namespace plumb {
namespace {

Conversation one_turn(const std::string& text, const std::string& system) {
  Conversation conversation;
  if (!system.empty()) conversation.messages.push_back({Role::system, system, ""});
  conversation.messages.push_back({Role::user, text, ""});
  return conversation;
}

std::vector<int32_t> start_token(const Tokenizer& tokenizer) {
  const auto id = tokenizer.bos_id() ? tokenizer.bos_id() : tokenizer.eos_id();
  if (!id)
    throw Error("this tokenizer has no start token to begin from; give --prompt", Exit::usage);
  return {*id};
}

}  // namespace

std::optional<ChatTemplate> chosen_template(const GenerateOptions& options,
                                            const Tokenizer& tokenizer) {
  if (options.chat_template == "none") return std::nullopt;
  const std::string word = options.chat_template == "auto" ? "model" : options.chat_template;
  return ChatTemplate::choose(word, tokenizer, "--template");
}

std::vector<int32_t> prompt_ids(const Conversation& conversation, const ChatTemplate& chat,
                                const UsedModel& model) {
  std::vector<int32_t> ids = chat.encode(conversation, GenerationPrompt::add).ids;
  if (model.decoder->config.is_encoder_decoder) {
    const std::vector<int32_t> end = suffix_ids(model.tokenizer);
    ids.insert(ids.end(), end.begin(), end.end());
  }
  return ids;
}

std::vector<Prompt> read_prompts(const GenerateOptions& options, const UsedModel& model) {
  const Tokenizer& tokenizer = model.tokenizer;
  std::vector<std::string> texts = options.prompt;
  if (!options.prompts.empty()) {
    const auto more = read_text_column(options.prompts, "prompt");
    texts.insert(texts.end(), more.begin(), more.end());
  }
  if (texts.empty()) return {{"", start_token(tokenizer)}};
  const auto chat = chosen_template(options, tokenizer);
  std::vector<Prompt> prompts;
  for (const auto& text : texts) {
    if (chat) {
      prompts.push_back({"", prompt_ids(one_turn(text, options.system), *chat, model)});
      continue;
    }
    auto ids = tokenizer.encode(text);
    if (ids.empty()) ids = start_token(tokenizer);
    prompts.push_back({text, std::move(ids)});
  }
  return prompts;
}

GenerateTask generate_task(const GenerateOptions& options, const UsedModel& model) {
  GenerateTask task;
  task.decoder = model.decoder.get();
  task.adapter = model.adapter();
  task.tokenizer = &model.tokenizer;
  task.eos_ids = eos_ids_of(model.folder, model.decoder->config, model.tokenizer);
  if (const auto chat = chosen_template(options, model.tokenizer)) {
    if (const auto id = chat->end_of_turn()) task.eos_ids.insert(*id);
  }
  task.sampling = options.sampling;
  if (options.greedy) task.sampling.temperature = 0;
  task.seed = static_cast<uint64_t>(options.seed);
  task.max_batch = options.batch;
  const KeptWeights kept = kept_weights(options.weights, *model.decoder);
  task.weights = kept.host;
  task.device_weights = kept.device;
  if (task.weights != nullptr) task.weights->prepare(*model.decoder);
  return task;
}

}  // namespace plumb
