#include "core/text/chat_template.h"

#include <algorithm>
#include <ctime>

#include "core/error.h"
#include "core/io/files.h"
#include "core/text/chat_parts.h"

namespace plumb {

namespace {

// Texts by the names that transformers gives them.
using Sources = std::vector<std::pair<std::string, std::string>>;

const std::string* find_source(const Sources& sources, const std::string& name) {
  const auto found = std::find_if(sources.begin(), sources.end(),
                                  [&](const auto& pair) { return pair.first == name; });
  return found == sources.end() ? nullptr : &found->second;
}

std::string names_of(const Sources& sources) {
  std::string names;
  for (const auto& [name, text] : sources) names += (names.empty() ? "" : ", ") + name;
  return names;
}

Json config_of(const Tokenizer& tokenizer) {
  if (tokenizer.config().empty()) return Json::object();
  return parse_json(tokenizer.config(), "tokenizer_config.json");
}

// Files count before the config, as in transformers.
Sources sources_of(const Tokenizer& tokenizer) {
  Sources sources;
  for (const auto& [name, text] : tokenizer.template_files()) sources.emplace_back(name, text);
  if (!sources.empty()) return sources;
  const Json config = config_of(tokenizer);
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return sources;
  if (found->is_string()) return {{"default", found->get<std::string>()}};
  const auto add = [&](const Json& name, const Json& text) {
    if (!name.is_string() || !text.is_string()) {
      throw Error(
          "tokenizer_config.json: chat_template must be text, or a list of {name, template}");
    }
    sources.emplace_back(name.get<std::string>(), text.get<std::string>());
  };
  for (const auto& [key, value] : found->items()) {
    if (found->is_object()) {
      add(key, value);
    } else {
      add(value.is_object() && value.contains("name") ? value["name"] : Json(),
          value.is_object() && value.contains("template") ? value["template"] : Json());
    }
  }
  return sources;
}

// The strings of bos_token and its kin; a token may also be an object with the string as content.
Json special_tokens_of(const Tokenizer& tokenizer) {
  Json out = Json::object();
  const Json config = config_of(tokenizer);
  const auto text_of = [](const Json& value) {
    return value.is_object() && value.contains("content") ? value["content"] : value;
  };
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token"}) {
    const auto found = config.find(key);
    if (found == config.end() || !text_of(*found).is_string()) continue;
    out[key] = text_of(*found);
  }
  const auto fill = [&](const char* key, std::optional<std::int32_t> id) {
    if (id && !out.contains(key)) out[key] = tokenizer.id_to_token(*id);
  };
  fill("bos_token", tokenizer.bos_id());
  fill("eos_token", tokenizer.eos_id());
  fill("unk_token", tokenizer.unk_id());
  fill("pad_token", tokenizer.pad_id());
  return out;
}

std::shared_ptr<ChatTemplateParts> make_parts(const std::string& name, const std::string& text,
                                              const std::string* for_tools,
                                              const Tokenizer& tokenizer) {
  const auto parse = [&](const std::string& source) {
    return jinja::Template::parse(source, "the chat template '" + name + "'");
  };
  std::optional<jinja::Template> tools;
  if (for_tools) tools = parse(*for_tools);
  return std::make_shared<ChatTemplateParts>(
      ChatTemplateParts{name,
                        ChatFormat::own,
                        text + (for_tools ? std::string(1, '\0') + *for_tools : ""),
                        parse(text),
                        std::move(tools),
                        tokenizer,
                        special_tokens_of(tokenizer),
                        SpecialTokenTable(tokenizer),
                        {}});
}

std::string nearest_words() {
  std::string words = "model, a path that ends in .jinja";
  for (const std::string& name : chat_format_names()) words += ", " + name;
  return words;
}

}  // namespace

ChatTemplate ChatTemplate::builtin(ChatFormat format, const Tokenizer& tokenizer) {
  auto parts = make_parts(std::string(chat_format_name(format)), jinja_of(format, tokenizer),
                          nullptr, tokenizer);
  parts->format = format;
  return ChatTemplate(std::move(parts));
}

std::optional<ChatTemplate> ChatTemplate::own(const Tokenizer& tokenizer, const std::string& name) {
  const Sources sources = sources_of(tokenizer);
  if (sources.empty()) return std::nullopt;
  const std::string* text = find_source(sources, name.empty() ? "default" : name);
  const std::string* for_tools = name.empty() ? find_source(sources, "tool_use") : nullptr;
  if (!text && name.empty()) text = for_tools;
  if (!text) {
    throw Error("the tokenizer has no chat template called '" +
                    (name.empty() ? std::string("default") : name) +
                    "' (it has: " + names_of(sources) + "); choose one with model:NAME",
                Exit::usage);
  }
  for (const std::string& known : chat_format_names()) {
    const ChatFormat format = parse_chat_format(known, "");
    if (sources.size() == 1 && jinja_of(format, tokenizer) == *text) {
      return builtin(format, tokenizer);
    }
  }
  const std::string word = name.empty() ? "model" : "model:" + name;
  return ChatTemplate(make_parts(word, *text, for_tools == text ? nullptr : for_tools, tokenizer));
}

ChatTemplate ChatTemplate::from_file(const std::string& path, const Tokenizer& tokenizer) {
  return ChatTemplate(make_parts(path, files::read_file(path), nullptr, tokenizer));
}

ChatTemplate ChatTemplate::choose(const std::string& word, const Tokenizer& tokenizer,
                                  const std::string& source) {
  const std::vector<std::string> names = chat_format_names();
  if (std::find(names.begin(), names.end(), word) != names.end()) {
    return builtin(parse_chat_format(word, source), tokenizer);
  }
  if (word == "model" || word.starts_with("model:")) {
    if (const auto found = own(tokenizer, word == "model" ? "" : word.substr(6))) return *found;
    throw Error(source + "=" + word + ": this tokenizer brings no chat template; give one of " +
                    nearest_words(),
                Exit::usage);
  }
  if (word.ends_with(".jinja") || word.ends_with(".j2")) return from_file(word, tokenizer);
  throw Error(
      source + ": the template '" + word + "' is not known (known: " + nearest_words() + ")",
      Exit::usage);
}

ChatTemplate ChatTemplate::with_clock(ChatClock clock) const {
  std::tm check{};
  const bool is_date =
      clock.date.empty() ||
      (clock.date.size() == 10 && strptime(clock.date.c_str(), "%Y-%m-%d", &check) != nullptr);
  if (!is_date) {
    throw Error("the date of templates must be as 2024-07-26, not '" + clock.date + "'",
                Exit::usage);
  }
  auto parts = std::make_shared<ChatTemplateParts>(*parts_);
  parts->clock = std::move(clock);
  return ChatTemplate(std::move(parts));
}

const std::string& ChatTemplate::name() const {
  return parts_->name;
}
ChatFormat ChatTemplate::format() const {
  return parts_->format;
}
std::string ChatTemplate::source() const {
  return parts_->source;
}

bool ChatTemplate::depends_on_date() const {
  return parts_->main.mentions("strftime_now") ||
         (parts_->for_tools && parts_->for_tools->mentions("strftime_now"));
}

std::string ChatTemplate::date() const {
  if (!parts_->clock.date.empty()) return parts_->clock.date;
  const std::tm now = jinja::local_time();
  char text[16];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d", &now)};
}

EncodedConversation ChatTemplate::encode(const Conversation& conversation,
                                         GenerationPrompt prompt) const {
  TrainedParts trained;
  if (prompt == GenerationPrompt::continue_last) {
    return encode_rendering(*parts_, conversation, render_open(*parts_, conversation), trained);
  }
  const Json messages = messages_json(conversation);
  const bool adds_prompt = prompt == GenerationPrompt::add;
  const jinja::Rendering whole =
      render_messages(*parts_, conversation, messages, messages.size(), adds_prompt);
  trained = find_trained(*parts_, conversation, messages, whole);
  trained.are_trained = !adds_prompt;
  EncodedConversation out = encode_rendering(*parts_, conversation, whole.text, trained);
  out.untrained_turns = trained.untrained_turns;
  out.untrained_because = trained.untrained_because;
  return out;
}

}  // namespace plumb
