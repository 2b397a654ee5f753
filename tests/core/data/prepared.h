// Preparing a few rows in a folder of the test's own.
#pragma once
#include <string>
#include <vector>

#include "core/data/prepare.h"
#include "tests/core/data/byte_tokenizer.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {

// Options for files that are in `folder`, whose store is there too.
inline DataOptions options_for(const TempFolder& folder, const std::vector<std::string>& paths) {
  DataOptions options;
  options.path = paths;
  options.store = folder.at("store");
  options.chat_template = "none";
  return options;
}

inline DataRequest request_for(SampleKind kind, int threads = 1) {
  DataRequest request;
  request.kind = kind;
  request.threads = threads;
  return request;
}

// The trained tokens of a sequence, span by span, as text.
inline std::vector<std::string> trained_texts(const Sequence& sequence,
                                              const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (const Span& span : sequence.spans) {
    if (!span.is_trained) continue;
    const auto ids = std::span(sequence.tokens)
                         .subspan(static_cast<std::size_t>(span.begin),
                                  static_cast<std::size_t>(span.end - span.begin));
    texts.push_back(tokenizer.decode(ids, SpecialTokens::keep));
  }
  return texts;
}

inline std::string pair_row(const std::string& prompt, const std::string& completion) {
  Json row;
  row["prompt"] = prompt;
  row["completion"] = completion;
  return row.dump() + "\n";
}

inline PreparedData prepare_rows(const TempFolder& folder, const std::string& rows, SampleKind kind,
                                 DataOptions options = {}) {
  const DataOptions base = options_for(folder, {folder.put("rows.jsonl", rows)});
  options.path = base.path;
  options.store = base.store;
  if (options.chat_template == "auto") options.chat_template = base.chat_template;
  return open_or_prepare(options, byte_tokenizer(), request_for(kind));
}

}  // namespace plumb
