// Where samples come from and what is made of them. Everything here but `store`,
// `validation_fraction`, `validation` and `empty_labels` decides the tokens, and so is part of the
// store's key (store.h).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/fields.h"

namespace plumb {

// Names of columns. A name with dots reaches into a row: "instances.0.output". Empty names are
// recognised: the ones of TRL, and "conversations" for messages.
struct ColumnOptions {
  std::string text = "text";
  std::string prompt = "prompt";
  std::string completion = "completion";
  std::string messages = "messages";
  std::string chosen = "chosen";
  std::string rejected = "rejected";
  std::string margin = "margin";
  std::string answer = "answer";
  std::string tools = "tools";
  std::string template_variables = "chat_template_kwargs";

  template <class Visitor>
  void fields(Visitor& v) {
    v("text", text, "a whole document");
    v("prompt", prompt, "text or a list of messages; with dots to reach inside: instances.0.input");
    v("completion", completion, "what answers the prompt: text or a list of messages");
    v("messages", messages, "a list of {role, content}; `conversations` is recognised too");
    v("chosen", chosen, "the better response, or the whole transcript that ends in it");
    v("rejected", rejected, "the worse one");
    v("margin", margin, "optional number: by how much chosen is better");
    v("answer", answer, "optional: the right answer to a prompt, for programmatic rewards");
    v("tools", tools, "optional: a list of JSON schemas that the chat template shows, or its text");
    v("template_variables", template_variables,
      "optional: an object of variables for the chat template, such as enable_thinking");
  }
};

struct DataOptions {
  std::vector<std::string> path;
  std::string format = "auto";
  ColumnOptions columns;
  std::string chat_template = "auto";
  std::string template_date;
  std::int64_t max_length = 0;
  std::string too_long = "auto";
  std::string empty_labels = "refuse";
  bool append_eos = true;
  std::string document_separator = "<|endoftext|>";
  std::int64_t limit = 0;
  bool skip_bad = false;
  std::vector<std::string> validation;
  double validation_fraction = 0.0;
  std::string store;

  template <class Visitor>
  void fields(Visitor& v) {
    v("path", path, "files: .jsonl, .json (an array of objects), .txt, each also as .gz",
      required());
    v("format", format, "columns of a row; auto: recognised in the first row",
      one_of({"auto", "text", "prompt_completion", "messages", "instruction", "preference",
              "prompt"}));
    v("columns", columns, "names of columns, where they differ from the usual");
    v("template", chat_template,
      "how turns become text: chatml, plain, llama2, alpaca, none (one after another), model (the "
      "tokenizer's own; model:NAME of several) or the path of a .jinja file; auto: the tokenizer's "
      "own, else plain for transcripts and none for prompt and completion");
    v("template_date", template_date,
      "the day that a template which writes today's date gets, as 2024-07-26; empty: today");
    v("max_length", max_length, "tokens of a sample at most; 0: the model's context", at_least(0));
    v("too_long", too_long,
      "longer samples: cut (keep the start), drop or error; auto: cut conversations, drop pairs "
      "and prompts. Documents of pretraining are divided, never cut",
      one_of({"auto", "cut", "drop", "error"}));
    v("empty_labels", empty_labels,
      "rows without a trained token (empty completion, or cut off): refuse the data, or drop them",
      one_of({"refuse", "drop"}));
    v("append_eos", append_eos, "end each document of pretraining with EOS");
    v("document_separator", document_separator,
      "what divides documents in a .txt file; empty: a file is one document");
    v("limit", limit, "rows read at most; 0: all", at_least(0));
    v("skip_bad", skip_bad, "count malformed rows and go on, where the default stops at file:line");
    v("validation", validation, "files held out from training; empty: see validation_fraction");
    v("validation_fraction", validation_fraction,
      "share of the rows of `path` held out, chosen by seed and row number", between(0.0, 0.9));
    v("store", store,
      "folder of tokenised data; empty: $XDG_CACHE_HOME/plumb/data or ~/.cache/plumb/data");
  }
};

}  // namespace plumb
