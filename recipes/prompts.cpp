#include "recipes/prompts.h"

#include "core/error.h"
#include "recipes/common/text_column.h"

namespace plumb {
namespace {

std::vector<int32_t> chat_turn(const std::string& text, const std::string& system,
                               ChatFormat format, const Tokenizer& tokenizer) {
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back({Role::system, system});
  messages.push_back({Role::user, text});
  return encode_conversation(tokenizer, render(format, messages, GenerationPrompt::add)).ids;
}

std::vector<int32_t> start_token(const Tokenizer& tokenizer) {
  const auto id = tokenizer.bos_id() ? tokenizer.bos_id() : tokenizer.eos_id();
  if (!id)
    throw Error("this tokenizer has no start token to begin from; give --prompt", Exit::usage);
  return {*id};
}

}  // namespace

std::optional<ChatFormat> chosen_format(const GenerateOptions& options,
                                        const Tokenizer& tokenizer) {
  if (options.chat_template == "none") return std::nullopt;
  if (options.chat_template == "auto") {
    if (const auto own = template_from_folder(tokenizer)) return own;
    throw Error(
        "--template auto: this model's tokenizer names no chat template; give one of chatml, "
        "plain, llama2, "
        "alpaca, none",
        Exit::usage);
  }
  return parse_chat_format(options.chat_template, "--template");
}

std::vector<Prompt> read_prompts(const GenerateOptions& options, const Tokenizer& tokenizer) {
  std::vector<std::string> texts = options.prompt;
  if (!options.prompts.empty()) {
    const auto more = read_text_column(options.prompts, "prompt");
    texts.insert(texts.end(), more.begin(), more.end());
  }
  if (texts.empty()) return {{"", start_token(tokenizer)}};
  const auto format = chosen_format(options, tokenizer);
  std::vector<Prompt> prompts;
  for (const auto& text : texts) {
    if (format) {
      prompts.push_back({"", chat_turn(text, options.system, *format, tokenizer)});
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
  task.sampling = options.sampling;
  if (options.greedy) task.sampling.temperature = 0;
  task.seed = static_cast<uint64_t>(options.seed);
  task.max_batch = options.batch;
  return task;
}

}  // namespace plumb
