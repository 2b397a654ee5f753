// The texts of pretraining data as they are read, before any tokenizer is there: what a new one is
// trained on.
#pragma once
#include <functional>
#include <string>

#include "core/data/data_options.h"

namespace plumb {

// Calls `use` with each document of `options.path`, long ones in pieces cut at a line's end. Errors
// are those of preparation: file, line, rule. With skip_bad, rows that cannot be read are passed
// over (preparation counts them).
void for_each_text(const DataOptions& options, const std::function<void(std::string text)>& use);

}  // namespace plumb
