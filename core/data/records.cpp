#include "core/data/records.h"

#include <algorithm>
#include <cmath>

#include "core/data/transcript.h"

namespace plumb {
namespace {

// The row with what every complaint about it needs.
struct Row {
  const Json& json;
  const RowPlan& plan;
  const std::string& where;

  [[noreturn]] void fail(const std::string& reason, const std::string& story) const {
    throw RowError(reason, where, story);
  }
  const Json* find(const std::string& name) const { return find_column(json, name); }
  const Json& need(const std::string& name) const {
    const Json* value = find(name);
    if (value == nullptr) {
      fail("missing column", "column '" + name + "' is missing; the first row makes every row " +
                                 row_format_name(plan.format));
    }
    return *value;
  }
};

std::string text_of(const Row& row, const Json& value, const std::string& name) {
  if (!value.is_string()) {
    row.fail("wrong type", "column '" + name + "' must be text, not " + value.type_name());
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) {
    row.fail("NUL", "column '" + name + "' holds a NUL character");
  }
  return text;
}

std::string text_of(const Row& row, const std::string& name) {
  return text_of(row, row.need(name), name);
}

// A column of JSON for the template, which datasets also keep as its text; empty when there is
// none.
std::string json_of(const Row& row, const std::string& name, Json::value_t type) {
  const Json* value = row.find(name);
  if (value == nullptr || value->is_null()) return "";
  const bool is_text = value->is_string();
  if (is_text && value->get_ref<const std::string&>().empty()) return "";
  Json json = *value;
  try {
    if (is_text) json = parse_json(value->get_ref<const std::string&>(), "column '" + name + "'");
  } catch (const Error& error) {
    row.fail("malformed JSON", error.what());
  }
  if (json.is_null()) return "";
  if (json.type() != type) {
    row.fail("wrong type", "column '" + name + "' must be " +
                               (type == Json::value_t::array ? "a list" : "an object") + ", not " +
                               json.type_name());
  }
  return json.dump();
}

// The words of a message: a text, or the texts of a list of parts.
std::string words_of(const Row& row, const Json& content, const std::string& place) {
  if (!content.is_array()) return text_of(row, content, place);
  std::string words;
  for (const Json& part : content) {
    const Json* text = part.is_object() ? find_column(part, "text") : nullptr;
    if (text != nullptr) words += text_of(row, *text, place);
  }
  return words;
}

// Whether there is more to tell a template than a role and a text.
bool says_more(const Json& value, const std::string& role) {
  if (!is_template_role(role)) return false;  // a dataset's own words: from, value
  if (role != role_name(parse_role(role, ""))) return true;
  if (!value.contains("content") || !value["content"].is_string()) return true;
  return value.size() > 2;
}

Message message_of(const Row& row, const Json& value, const std::string& place) {
  if (!value.is_object()) row.fail("wrong type", place + " must be an object {role, content}");
  const Json* role = find_column(value, value.contains("role") ? "role" : "from");
  const Json* content = find_column(value, value.contains("content") ? "content" : "value");
  const bool is_call = value.contains("tool_calls") && value["tool_calls"].is_array() &&
                       !value["tool_calls"].empty();
  if (role == nullptr || (content == nullptr && !is_call)) {
    row.fail("bad message", place + " needs role and content (or from and value)");
  }
  Message message;
  const std::string name = text_of(row, *role, place + ".role");
  try {
    message.role = parse_role(name, row.where + ": " + place);
  } catch (const Error& error) {
    throw RowError("unknown role", row.where,
                   place + ": role '" + name + "' is none of system, user, assistant, tool");
  }
  const bool is_silent = is_call && (content == nullptr || content->is_null());
  if (!is_silent) message.content = words_of(row, *content, place + ".content");
  if (value.contains("role") && says_more(value, name)) message.json = value.dump();
  return message;
}

std::vector<Message> messages_of(const Row& row, const Json& list, const std::string& name) {
  if (!list.is_array()) {
    row.fail("wrong type",
             "column '" + name + "' must be a list of messages, not " + list.type_name());
  }
  if (list.empty()) row.fail("no messages", "column '" + name + "' holds no messages");
  std::vector<Message> messages;
  for (std::size_t i = 0; i < list.size(); ++i) {
    messages.push_back(message_of(row, list[i], name + "[" + std::to_string(i) + "]"));
  }
  return messages;
}

// A prompt: messages, a transcript, or words of a user.
std::vector<Message> prompt_of(const Row& row, const std::string& name) {
  const Json& value = row.need(name);
  if (value.is_array()) return messages_of(row, value, name);
  std::string text = text_of(row, value, name);
  if (!is_transcript(text) || row.plan.chat == ChatFormat::none) return {{Role::user, text, ""}};
  std::vector<Message> turns = parse_transcript(text);
  const bool is_open_end = turns.back().role == Role::assistant && turns.back().content.empty();
  if (is_open_end) turns.pop_back();
  return turns;
}

std::vector<Message> instruction_of(const Row& row) {
  std::string text = text_of(row, "instruction");
  const Json* input = row.find("input");
  if (input != nullptr && !input->is_null()) {
    const std::string words = text_of(row, *input, "input");
    const char* title = row.plan.chat == ChatFormat::alpaca ? "\n\n### Input:\n" : "\n\n";
    if (!words.empty()) text += title + words;
  }
  return {{Role::user, text, ""}};
}

bool begins_with_answer(const std::vector<Message>& turns) {
  return !turns.empty() && turns.front().role == Role::assistant;
}

// A whole conversation from a response: a transcript, a list that begins with the prompt, or what
// follows `prompt`.
std::vector<Message> with_response(const Row& row, const std::string& name,
                                   std::vector<Message> prompt) {
  const Json& value = row.need(name);
  std::vector<Message> response;
  if (value.is_array()) {
    response = messages_of(row, value, name);
    if (!begins_with_answer(response)) return response;
  } else {
    std::string text = text_of(row, value, name);
    if (is_transcript(text) && prompt.empty()) {
      if (row.plan.chat != ChatFormat::none) return parse_transcript(text);
      SplitTranscript split = split_at_last_answer(text);
      return {{Role::user, split.prompt, ""}, {Role::assistant, split.response, ""}};
    }
    response = {{Role::assistant, std::move(text), ""}};
  }
  prompt.insert(prompt.end(), response.begin(), response.end());
  return prompt;
}

// Datasets of pairs write the prompt in a column, as instruction and input, or inside the
// responses.
std::vector<Message> prompt_of_pair(const Row& row) {
  if (row.find(row.plan.columns.prompt) != nullptr) return prompt_of(row, row.plan.columns.prompt);
  if (row.find("instruction") != nullptr) return instruction_of(row);
  return {};
}

double margin_of(const Row& row) {
  const Json* value = row.find(row.plan.columns.margin);
  if (value == nullptr || value->is_null()) return 0.0;
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    row.fail("bad margin", "column '" + row.plan.columns.margin + "' must be a finite number");
  }
  return value->get<double>();
}

bool same_turn(const Message& a, const Message& b) {
  return a.role == b.role && a.content == b.content && a.json == b.json;
}

// The turns that chosen and rejected share (TRL's extract_prompt), back to a user's turn.
std::vector<Message> shared_prompt(const std::vector<Message>& chosen,
                                   const std::vector<Message>& rejected) {
  const auto [end, other] =
      std::mismatch(chosen.begin(), chosen.end(), rejected.begin(), rejected.end(), same_turn);
  std::vector<Message> prompt(chosen.begin(), end);
  while (!prompt.empty() && prompt.back().role != Role::user && prompt.back().role != Role::tool) {
    prompt.pop_back();
  }
  return prompt;
}

void read_conversation(const Row& row, Record& record) {
  const ColumnOptions& c = row.plan.columns;
  switch (row.plan.format) {
    case RowFormat::text:
      record.text = text_of(row, c.text);
      return;
    case RowFormat::prompt_completion:
      record.turns = with_response(row, c.completion, prompt_of(row, c.prompt));
      return;
    case RowFormat::messages: {
      const bool is_named = row.find(c.messages) != nullptr;
      const std::string name =
          is_named || row.find("conversations") == nullptr ? c.messages : "conversations";
      record.turns = messages_of(row, row.need(name), name);
      return;
    }
    case RowFormat::instruction:
      record.turns = with_response(row, "output", instruction_of(row));
      return;
    case RowFormat::preference:
      record.turns = with_response(row, c.chosen, prompt_of_pair(row));
      record.rejected = with_response(row, c.rejected, prompt_of_pair(row));
      record.margin = margin_of(row);
      return;
    case RowFormat::prompt:
      record.turns = prompt_of(row, c.prompt);
      return;
  }
}

// Takes from a whole conversation what comes before its last answer.
void keep_prompt(const Row& row, Record& record) {
  if (row.plan.format == RowFormat::preference) {
    record.turns = shared_prompt(record.turns, record.rejected);
    record.rejected.clear();
  } else if (!record.turns.empty() && record.turns.back().role == Role::assistant) {
    record.turns.pop_back();
  }
  const bool is_open = !record.turns.empty() && (record.turns.back().role == Role::user ||
                                                 record.turns.back().role == Role::tool);
  if (!is_open) row.fail("no prompt", "there is no user's turn to answer");
  const std::string& words = record.turns.back().content;
  if (words.find_first_not_of(" \t\r\n") == std::string::npos) {
    row.fail("empty prompt", "the prompt is empty");
  }
  const Json* answer = row.find(row.plan.columns.answer);
  if (answer == nullptr || answer->is_null()) return;
  record.answer =
      answer->is_string() ? text_of(row, *answer, row.plan.columns.answer) : answer->dump();
}

}  // namespace

Record read_record(const Json& json, const RowPlan& plan, const std::string& where) {
  const Row row{json, plan, where};
  if (!json.is_object()) {
    row.fail("not an object",
             std::string("a row must be a JSON object {...}, not ") + json.type_name());
  }
  Record record;
  read_conversation(row, record);
  if (plan.format != RowFormat::text) {
    record.tools = json_of(row, plan.columns.tools, Json::value_t::array);
    record.variables = json_of(row, plan.columns.template_variables, Json::value_t::object);
  }
  if (plan.kind == SampleKind::prompt) keep_prompt(row, record);
  return record;
}

}  // namespace plumb
