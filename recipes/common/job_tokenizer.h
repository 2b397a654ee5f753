// The tokenizer that a job reads, and the one that it writes beside what it trained.
#pragma once
#include <string>

#include "core/data/accounting.h"
#include "core/text/tokenizer.h"

namespace plumb {

// The folder: model.adapter's where it brings a tokenizer, as adapters trained here do, because its
// chat template is the one that the adapter knows; else model.path.
std::string tokenizer_folder(const std::string& model_path, const std::string& adapter);

// `tokenizer` with the chat template that the data was rendered with (`used`), so that whoever
// opens the result speaks to it as it was trained. Unchanged where that is its own, and for plain
// text.
Tokenizer trained_tokenizer(const Tokenizer& tokenizer, const Accounting& used);

}  // namespace plumb
