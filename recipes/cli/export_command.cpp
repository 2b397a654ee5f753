#include "recipes/cli/export_command.h"

#include "core/error.h"
#include "core/hub/find.h"
#include "core/io/config_values.h"
#include "core/io/files.h"
#include "recipes/cli/flags.h"
#include "recipes/cli/open_jobs.h"
#include "recipes/cli/references.h"
#include "recipes/common/gguf_export.h"

namespace plumb {
namespace {

bool is_adapter(const std::string& folder) {
  return files::exists(folder + "/adapter_config.json");
}

// The folder of the model that options.model, an adapter, was trained on.
std::string base_of(const ExportOptions& options) {
  if (!options.base.empty()) return options.base;
  const std::string path = options.model + "/adapter_config.json";
  const Json json = read_json(path);
  const ConfigValues values(json, path);
  const std::string named = values.string("base_model_name_or_path", "");
  const std::string folder = named.empty() ? "" : hub::folder_of_base(named);
  if (folder.empty()) {
    values.fail("base_model_name_or_path",
                "is neither a folder here nor in the hub's cache; give the base with --base");
  }
  return folder;
}

void check_combination(const ExportOptions& options, bool is_of_adapter) {
  const bool is_quantised = options.dtype == "q8_0" || options.dtype == "q4_0";
  if (is_quantised && options.format != "gguf") {
    throw Error("--dtype " + options.dtype +
                    ": only --format gguf has it; hf and peft take f32, "
                    "f16 or bf16",
                Exit::usage);
  }
  if (is_of_adapter && !options.use.adapter.empty()) {
    throw Error(options.model + ": is an adapter already; --adapter goes with a model",
                Exit::usage);
  }
  if (!is_of_adapter && !options.base.empty()) {
    throw Error("--base: goes with an adapter, but " + options.model + " is none", Exit::usage);
  }
}

int export_parsed(ExportOptions options) {
  const bool is_of_adapter = is_adapter(options.model);
  check_combination(options, is_of_adapter);
  if (options.format == "gguf" && is_of_adapter) {
    write_adapter_gguf(base_of(options), options);
    return tell_of_export(options, "every tensor agrees"), 0;
  }
  if (options.format == "gguf" && options.use.adapter.empty()) {
    write_model_gguf(options.model, last_part(options.model), options);
    return tell_of_export(options, "every tensor agrees"), 0;
  }
  if (is_of_adapter) {
    options.use.adapter = options.model;
    options.model = base_of(options);
  }
  open_jobs().export_model(options);
  return 0;
}

ExportOptions parse(const std::string& name, const Arguments& arguments) {
  ExportOptions options;
  const auto positional = parse_flags(arguments, FieldList::of(options));
  if (positional.size() != 1) {
    throw Error("plumb " + name +
                    " takes one folder of a model or an adapter (or hf:owner/name), got " +
                    std::to_string(positional.size()) + " words that are no flags",
                Exit::usage);
  }
  options.model = positional[0];
  check_required(FieldList::of(options), "plumb " + name);
  resolve_references(options);
  return options;
}

}  // namespace

int export_command(const Arguments& arguments) {
  return export_parsed(parse("export", arguments));
}

int merge_command(const Arguments& arguments) {
  ExportOptions options = parse("merge", arguments);
  options.format = "hf";
  return export_parsed(std::move(options));
}

std::string export_help() {
  ExportOptions options;
  return "A model is written with its --adapter merged in (hf, gguf), or as that adapter (peft). "
         "An\n"
         "adapter given by itself is merged into its base (hf), written as it is (peft), or for\n"
         "llama.cpp's --lora (gguf).\n\nFlags\n" +
         flags_help(FieldList::of(options));
}

}  // namespace plumb
