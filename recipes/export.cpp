// Writes the merged model (also `plumb merge`) or the adapter for other tools; what was written is
// opened again and compared before success is said.
//   plumb export MODEL --adapter out/sft/adapter --format hf --out merged
#include <iostream>

#include "core/error.h"
#include "core/io/files.h"
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

void export_hf(const UsedModel& model, const ExportOptions& options) {
  Decoder merged = *model.decoder;  // shares the tensors, which nothing else reads
  const auto wanted = probe(merged, model.adapter(), model.score);
  if (model.peft) merge(merged, model.peft->adapter);
  const SaveDtype dtype = parse_dtype(options.dtype);
  save_decoder(merged, options.out, dtype, model.score);
  save_tokenizer(model.tokenizer, options.out);
  if (model.score.defined()) save_reward_statistics(model.statistics, options.out);
  check_same(wanted, probe(load_decoder(options.out), nullptr, load_score(options.out)),
             tolerance_of(dtype), options.out);
}

void export_peft(const UsedModel& model, const ExportOptions& options) {
  if (!model.peft) throw Error("export --format peft: needs --adapter", Exit::usage);
  save_peft(*model.peft, model.decoder->config, options.out);
  save_tokenizer(model.tokenizer, options.out);
  if (model.score.defined()) save_reward_statistics(model.statistics, options.out);
  const auto reopened = load_peft(options.out, model.decoder->config);
  check_same(probe(*model.decoder, model.adapter(), model.score),
             probe(*model.decoder, &reopened.adapter, reopened.score), tolerance_of(SaveDtype::f32),
             options.out);
}

}  // namespace

void run_export(const ExportOptions& options) {
  choose_device(options.use.device, options.use.threads, 1);
  if (files::exists(options.out)) {
    if (!options.overwrite)
      throw Error(options.out + ": exists; give --overwrite to replace it", Exit::usage);
    if (same_folder(options.out, options.model) || same_folder(options.out, options.use.adapter)) {
      throw Error(options.out + ": is what is being exported; choose another --out", Exit::usage);
    }
    files::remove_tree(options.out);
  }
  const auto model = open_model(options.model, options.use.adapter);
  options.format == "peft" ? export_peft(model, options) : export_hf(model, options);
  std::cerr << "wrote " << options.out << " (" << options.format << "), reopened, outputs agree\n";
  if (options.use.json) std::cout << Json{{"written", options.out}}.dump() << "\n";
}

}  // namespace plumb
