// A conversation in the terminal; the answer appears as it is drawn. Ctrl-C stops an answer, Ctrl-D
// ends.
//   plumb chat MODEL --template chatml
#include <unistd.h>

#include <iostream>

#include "core/error.h"
#include "core/train/signals.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/prompts.h"

namespace plumb {
namespace {

std::string answer(const GenerateTask& base, const UsedModel& model,
                   const std::vector<int32_t>& prompt, uint64_t turn) {
  StreamDecoder stream(model.tokenizer);
  std::string text;
  const auto show = [&text](const std::string& piece) {
    text += piece;
    std::cout << piece << std::flush;
  };
  GenerateTask task = base;
  task.on_token = [&](std::size_t, int32_t id) {
    show(stream.push(id));
    return !stop_requested();
  };
  generate(task, {{prompt, turn}});
  show(stream.finish());
  std::cout << "\n";
  clear_stop_request();
  return text;
}

}  // namespace

void run_chat(const GenerateOptions& options) {
  choose_device(options.use.device, options.use.threads);
  const auto model = open_model(options.model, options.use.adapter);
  auto chat = options.chat_template == "none" ? ChatTemplate::own(model.tokenizer)
                                              : chosen_template(options, model.tokenizer);
  if (!chat) chat = ChatTemplate::builtin(ChatFormat::plain, model.tokenizer);
  const auto task = generate_task(options, model);
  install_stop_handlers();

  Conversation conversation;
  auto& messages = conversation.messages;
  if (!options.system.empty()) messages.push_back({Role::system, options.system, ""});
  const bool is_terminal = isatty(STDIN_FILENO);
  if (is_terminal) {
    std::cerr << "Template " << chat->name() << ". Ctrl-C stops an answer, Ctrl-D ends.\n";
  }
  for (uint64_t turn = 0;; ++turn) {
    if (is_terminal) std::cerr << "\n> " << std::flush;
    std::string line;
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    messages.push_back({Role::user, line, ""});
    const auto prompt = prompt_ids(conversation, *chat, model);
    messages.push_back({Role::assistant, answer(task, model, prompt, turn), ""});
  }
}

}  // namespace plumb
