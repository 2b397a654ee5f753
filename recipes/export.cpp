// Writes the merged model (also `plumb merge`) or the adapter for other tools; what was written is
// opened again and compared before success is said, and before it takes the place of what was
// there.
//   plumb export MODEL --adapter out/sft/adapter --format hf --out merged
#include <unistd.h>

#include "core/error.h"
#include "core/io/file_moves.h"
#include "core/io/files.h"
#include "recipes/common/gguf_export.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/probe.h"
#include "recipes/use_model.h"

namespace plumb {
namespace {

SaveDtype parse_dtype(const std::string& name) {
  if (name == "bf16") return SaveDtype::bf16;
  if (name == "f16") return SaveDtype::f16;
  return SaveDtype::f32;
}

// Relative to the largest logit: merging reorders sums (f32), and narrower files round every
// weight.
double tolerance_of(SaveDtype dtype) {
  switch (dtype) {
    case SaveDtype::f32:
      return 1e-4;
    case SaveDtype::f16:
      return 2e-2;
    case SaveDtype::bf16:
      return 1e-1;
  }
  return 0;
}

// An adapter that is nowhere felt would be exported as if it had been (lora_B all zero, or modules
// that no linear answers to).
void check_adapter_is_felt(const UsedModel& model) {
  if (!model.peft) return;
  const auto without = probe(*model.decoder, nullptr, {});
  const auto with = probe(*model.decoder, model.adapter(), {});
  if (!at::equal(without.logits, with.logits)) return;
  throw Error(
      "export: the adapter changes no logit of its base: it was not trained, or is for another "
      "model");
}

void check_tie(const Decoder& written, const Decoder& reopened, const std::string& folder) {
  const auto is_tied = [](const Decoder& decoder) {
    return at::equal(decoder.weights.lm_head, decoder.weights.embed_tokens);
  };
  if (is_tied(written) == is_tied(reopened)) return;
  throw Error(folder +
                  ": head and embedding are tied on one side of the export alone; it is not to "
                  "be used",
              Exit::failed);
}

// The model with its adapter merged in, opened again.
void write_merged(const UsedModel& model, SaveDtype dtype, const std::string& folder) {
  Decoder merged = *model.decoder;  // shares the tensors, which nothing else reads
  const auto wanted = probe(merged, model.adapter(), model.score);
  if (model.peft) merge(merged, model.peft->adapter);
  save_decoder(merged, folder, dtype, model.score);
  save_tokenizer(model.tokenizer, folder);
  if (model.score.defined()) save_reward_statistics(model.statistics, folder);
  const Decoder reopened = load_decoder(folder);
  check_same(wanted, probe(reopened, nullptr, load_score(folder)), tolerance_of(dtype), folder);
  if (!model.score.defined()) check_tie(merged, reopened, folder);
}

void write_peft(const UsedModel& model, const std::string& folder) {
  save_peft(*model.peft, model.decoder->config, folder);
  save_tokenizer(model.tokenizer, folder);
  if (model.score.defined()) save_reward_statistics(model.statistics, folder);
  const auto reopened = load_peft(folder, model.decoder->config);
  check_same(probe(*model.decoder, model.adapter(), model.score),
             probe(*model.decoder, &reopened.adapter, reopened.score), tolerance_of(SaveDtype::f32),
             folder);
}

void check_out(const ExportOptions& options) {
  if (options.format == "gguf") return check_gguf_out(options);
  if (!files::exists(options.out)) return;
  if (!options.overwrite) {
    throw Error(options.out + ": exists; give --overwrite to replace it", Exit::usage);
  }
  if (same_folder(options.out, options.model) || same_folder(options.out, options.use.adapter)) {
    throw Error(options.out + ": is what is being exported; choose another --out", Exit::usage);
  }
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Beside what is there, which goes only when the new folder is whole and compared.
void publish(const std::string& path, const std::function<void(const std::string&)>& write) {
  const std::string out = without_slash(path);
  if (!files::exists(out)) return files::publish_directory(out, write);
  const std::string staged = out + ".new-" + std::to_string(::getpid());
  files::publish_directory(staged, write);
  files::remove_tree(out);
  files::move_into_place(staged, out);
}

// GGUF is made from files: of a merged model, from a folder that is gone afterwards.
struct MergedFolder {
  std::string path;
  ~MergedFolder() {
    try {
      files::remove_tree(path);
    } catch (const std::exception&) {  // what is left is named by its suffix
    }
  }
};

void export_merged_gguf(const UsedModel& model, const ExportOptions& options) {
  if (model.score.defined()) {
    throw Error(
        "export --format gguf: llama.cpp has no place for a reward model's head; export with "
        "--format hf",
        Exit::usage);
  }
  const MergedFolder merged{options.out + ".merged-" + std::to_string(::getpid())};
  files::create_directories(merged.path);
  write_merged(model, SaveDtype::f32, merged.path);
  write_model_gguf(merged.path, last_part(options.use.adapter), options);
}

}  // namespace

void run_export(const ExportOptions& options) {
  choose_device(options.use.device, options.use.threads);
  check_out(options);
  const auto model = open_model(options.model, options.use.adapter);
  check_adapter_is_felt(model);
  if (options.format == "gguf") {
    export_merged_gguf(model, options);
    return tell_of_export(options, "every tensor agrees");
  }
  if (options.format == "peft" && !model.peft) {
    throw Error("export --format peft: needs --adapter", Exit::usage);
  }
  publish(options.out, [&](const std::string& folder) {
    if (options.format == "peft") return write_peft(model, folder);
    write_merged(model, parse_dtype(options.dtype), folder);
  });
  tell_of_export(options, "outputs agree");
}

}  // namespace plumb
