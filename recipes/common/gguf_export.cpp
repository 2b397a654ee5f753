#include "recipes/common/gguf_export.h"

#include <filesystem>
#include <iostream>

#include "core/error.h"
#include "core/gguf/export.h"
#include "core/io/files.h"
#include "core/io/json.h"

namespace plumb {
namespace {

GgmlType type_of(const ExportOptions& options) {
  for (const GgmlType type : {GgmlType::f16, GgmlType::bf16, GgmlType::q8_0, GgmlType::q4_0}) {
    if (ggml_type_name(type) == options.dtype) return type;
  }
  return GgmlType::f32;
}

}  // namespace

void check_gguf_out(const ExportOptions& options) {
  if (!options.out.ends_with(".gguf")) {
    throw Error(
        "--out " + options.out + ": --format gguf writes one file; its name must end in .gguf",
        Exit::usage);
  }
  if (files::exists(options.out) && !options.overwrite) {
    throw Error(options.out + ": exists; give --overwrite to replace it", Exit::usage);
  }
}

void write_model_gguf(const std::string& folder, const std::string& name,
                      const ExportOptions& options) {
  check_gguf_out(options);
  export_gguf_model(folder, options.out, {name, type_of(options)});
}

void write_adapter_gguf(const std::string& base, const ExportOptions& options) {
  check_gguf_out(options);
  export_gguf_adapter(options.model, base, options.out,
                      {last_part(options.model), type_of(options)});
}

void tell_of_export(const ExportOptions& options, const std::string& what_was_compared) {
  std::cerr << "wrote " << options.out << " (" << options.format << "), reopened, "
            << what_was_compared << "\n";
  if (options.use.json) std::cout << Json{{"written", options.out}}.dump() << "\n";
}

std::string last_part(const std::string& path) {
  const std::filesystem::path normal = std::filesystem::absolute(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

}  // namespace plumb
