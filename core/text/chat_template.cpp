#include "core/text/chat_template.h"

#include <algorithm>

#include "core/error.h"

namespace plumb {

namespace {

constexpr ChatFormat kFormats[] = {ChatFormat::chatml, ChatFormat::plain, ChatFormat::llama2,
                                   ChatFormat::alpaca, ChatFormat::none};

std::string joined_format_names() {
  std::string joined;
  for (const std::string& name : chat_format_names()) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

RenderedPiece markup(std::string text, TurnToken token = TurnToken::none) {
  return {std::move(text), Role::markup, false, true, token};
}

RenderedPiece content_of(const Message& message, const std::string& before = "") {
  return {before + message.content, message.role, message.role == Role::assistant, false,
          TurnToken::none};
}

// The end of an assistant's turn is learnt, whoever wrote its text.
RenderedPiece turn_end(std::string text = "") {
  return {std::move(text), Role::assistant, true, true, TurnToken::eos};
}

using Pieces = std::vector<RenderedPiece>;

void render_chatml(const Message& message, bool, Pieces& out) {
  out.push_back(markup("<|im_start|>" + std::string(role_name(message.role)) + "\n"));
  out.push_back(content_of(message));
  if (message.role == Role::assistant) {
    out.push_back(turn_end("<|im_end|>"));
    out.push_back(markup("\n"));
  } else {
    out.push_back(markup("<|im_end|>\n"));
  }
}

// The space belongs to the words, as tokenizers want it.
void render_plain(const Message& message, bool, Pieces& out) {
  if (message.role == Role::system) return out.push_back(content_of(message));
  out.push_back(markup(message.role == Role::user ? "\n\nHuman:" : "\n\nAssistant:"));
  out.push_back(content_of(message, " "));
  if (message.role == Role::assistant) out.push_back(turn_end());
}

// meta-llama/Llama-2-7b-chat: [INST] and its system text open a turn of the user.
void render_llama2(const Message& message, bool follows_system, Pieces& out) {
  if (message.role == Role::system) {
    out.push_back(markup("", TurnToken::bos));
    out.push_back(markup("[INST] <<SYS>>\n"));
    out.push_back(content_of(message));
    out.push_back(markup("\n<</SYS>>\n\n"));
  } else if (message.role == Role::user) {
    if (!follows_system) {
      out.push_back(markup("", TurnToken::bos));
      out.push_back(markup("[INST]"));
    }
    out.push_back(content_of(message, follows_system ? "" : " "));
    out.push_back(markup(" [/INST]"));
  } else {
    out.push_back(content_of(message, " "));
    out.push_back(turn_end(" "));
  }
}

void render_alpaca(const Message& message, bool is_later, Pieces& out) {
  if (message.role == Role::system) {
    out.push_back(content_of(message));
  } else if (message.role == Role::user) {
    out.push_back(markup(is_later ? "\n\n### Instruction:\n" : "### Instruction:\n"));
    out.push_back(content_of(message));
    out.push_back(markup("\n\n### Response:\n"));
  } else {
    out.push_back(content_of(message));
    out.push_back(turn_end());
  }
}

void render_none(const Message& message, bool, Pieces& out) {
  out.push_back(content_of(message));
  if (message.role == Role::assistant) out.push_back(turn_end());
}

void render_message(ChatFormat format, std::span<const Message> messages, std::size_t i,
                    Pieces& out) {
  const bool follows_system = i > 0 && messages[i - 1].role == Role::system;
  switch (format) {
    case ChatFormat::chatml:
      return render_chatml(messages[i], follows_system, out);
    case ChatFormat::plain:
      return render_plain(messages[i], follows_system, out);
    case ChatFormat::llama2:
      return render_llama2(messages[i], follows_system, out);
    case ChatFormat::alpaca:
      return render_alpaca(messages[i], i > 0, out);
    case ChatFormat::none:
      return render_none(messages[i], follows_system, out);
  }
}

[[noreturn]] void refuse(ChatFormat format, std::size_t i, const std::string& what) {
  throw Error("message " + std::to_string(i + 1) + ": the chat format '" +
              std::string(chat_format_name(format)) + "' " + what);
}

void check_order(ChatFormat format, std::span<const Message> messages) {
  if (messages.empty()) throw Error("a conversation without messages cannot be rendered");
  const bool alternates = format == ChatFormat::llama2 || format == ChatFormat::alpaca;
  const bool is_free = format == ChatFormat::chatml || format == ChatFormat::none;
  Role expected = Role::user;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Role role = messages[i].role;
    if (role == Role::markup) refuse(format, i, "takes system, user and assistant messages only");
    if (role == Role::system) {
      if (i > 0 && !is_free) refuse(format, i, "takes a system message at the start only");
      continue;
    }
    if (alternates && role != expected) {
      refuse(format, i,
             "needs user and assistant by turns, user first; this one is by '" +
                 std::string(role_name(role)) + "'");
    }
    expected = role == Role::user ? Role::assistant : Role::user;
  }
}

const char* generation_prompt(ChatFormat format) {
  switch (format) {
    case ChatFormat::chatml:
      return "<|im_start|>assistant\n";
    case ChatFormat::plain:
      return "\n\nAssistant:";
    default:
      return "";  // the user's turn already ends with it
  }
}

}  // namespace

Role parse_role(std::string_view name, const std::string& source) {
  if (name == "system") return Role::system;
  if (name == "user" || name == "human") return Role::user;
  if (name == "assistant" || name == "gpt" || name == "model") return Role::assistant;
  throw Error(source + ": the role '" + std::string(name) +
              "' is not known (known: system, user, human, assistant, gpt, model)");
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::markup:
      return "markup";
  }
  return "";
}

std::string_view chat_format_name(ChatFormat format) {
  switch (format) {
    case ChatFormat::chatml:
      return "chatml";
    case ChatFormat::plain:
      return "plain";
    case ChatFormat::llama2:
      return "llama2";
    case ChatFormat::alpaca:
      return "alpaca";
    case ChatFormat::none:
      return "none";
  }
  return "";
}

std::vector<std::string> chat_format_names() {
  std::vector<std::string> names;
  for (const ChatFormat format : kFormats) names.emplace_back(chat_format_name(format));
  return names;
}

ChatFormat parse_chat_format(std::string_view name, const std::string& source) {
  for (const ChatFormat format : kFormats) {
    if (chat_format_name(format) == name) return format;
  }
  throw Error(source + ": the chat format '" + std::string(name) +
              "' is not known (known: " + joined_format_names() + ")");
}

std::vector<RenderedPiece> render(ChatFormat format, std::span<const Message> messages,
                                  GenerationPrompt prompt) {
  check_order(format, messages);
  Pieces pieces;
  for (std::size_t i = 0; i < messages.size(); ++i) render_message(format, messages, i, pieces);
  if (prompt == GenerationPrompt::add && *generation_prompt(format)) {
    pieces.push_back(markup(generation_prompt(format)));
  }
  return pieces;
}

std::optional<ChatFormat> template_from_folder(const Tokenizer& tokenizer) {
  const std::string own = tokenizer.jinja_template();
  if (own.empty()) return std::nullopt;
  for (const ChatFormat format : kFormats) {
    if (jinja_of(format, tokenizer) == own) return format;
  }
  throw Error(
      "the tokenizer's chat template is Jinja that is not one of the built-in formats, and "
      "Jinja is not run: set data.template to one of " +
      joined_format_names());
}

}  // namespace plumb
