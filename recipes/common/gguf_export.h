// `plumb export --format gguf` of what needs no merging: a model as it is, or an adapter.
#pragma once
#include <string>

#include "recipes/use_options.h"

namespace plumb {

// Refuses an --out that is no .gguf file, exists without --overwrite, or lies where no folder is.
void check_gguf_out(const ExportOptions& options);

// `folder`: a model. general.name is `name`.
void write_model_gguf(const std::string& folder, const std::string& name,
                      const ExportOptions& options);

// `options.model` is the adapter, `base` its base model's folder.
void write_adapter_gguf(const std::string& base, const ExportOptions& options);

// What is said at the end, of every format.
void tell_of_export(const ExportOptions& options, const std::string& what_was_compared);

// The last part of a path, for names: "out/sft/adapter/" -> "adapter".
std::string last_part(const std::string& path);

}  // namespace plumb
