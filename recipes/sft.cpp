// Supervised fine-tuning, all weights or LoRA.
//   plumb sft recipes/sft.yaml model.path=MODEL data.path=[train.jsonl]
#include "core/io/position_limit.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/sample_table.h"
#include "recipes/trainable.h"
#include "sft/next_token_job.h"

namespace plumb {

void run_sft(const SftRecipe& recipe, const JobFlags& flags) {
  Job job("sft", recipe.run, flags, resolved(recipe));
  if (job.is_finished()) return;

  // data: rows -> tokens with the assistant's turns marked
  const auto tokenizer = Tokenizer::load(tokenizer_folder(recipe.model.path, recipe.model.adapter));
  auto model = load_trainable(recipe.model, recipe.lora, job.seed());
  auto need = data_need(recipe, position_limit(model.decoder.config));
  need.is_text_to_text = model.decoder.config.is_encoder_decoder;
  const auto data = job.prepare(need, tokenizer);

  // model: a frozen base with an adapter, or all weights
  AdamW optimizer(model.parameters(), recipe.train.optimizer);
  const DataFeed source{&data, &job.comm(), recipe.train, job.seed()};
  const auto supervised = next_token_job("sft", {&model.decoder, model.adapter()}, source);

  // trainer
  RunContext& context = job.begin(supervised.total_steps, plan_hash(source));
  if (job.checkpoint()) restore(*job.checkpoint(), optimizer, context);
  const SampleTable samples(recipe.samples, data, tokenizer);
  const auto generator =
      sample_task(model.decoder, model.adapter(),
                  eos_ids_of(recipe.model.path, model.decoder.config, tokenizer), job.seed());
  if (job.comm().is_main() && context.state.step == 0) samples.record(job.log(), 0, generator);
  const auto result = train(supervised, recipe.train, optimizer, context);
  if (job.comm().is_main()) samples.record(job.log(), result.step, generator);

  // export
  Json done = result_json(result);
  if (job.comm().is_main()) {
    done["written"] = save_trainable(model, trained_tokenizer(tokenizer, data.accounting()),
                                     recipe.model.path, job.folder());
  }
  job.finish(done, "Supervised fine-tuning");
}

}  // namespace plumb
