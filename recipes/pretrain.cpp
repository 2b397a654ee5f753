// Next-token training on text, from scratch or from a model.
//   plumb pretrain recipes/pretrain.yaml data.path=[corpus.txt]
#include "core/io/position_limit.h"
#include "recipes/common/one_stack.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/new_model.h"
#include "recipes/sample_table.h"
#include "recipes/trainable.h"
#include "sft/next_token_job.h"

namespace plumb {

void run_pretrain(const PretrainRecipe& recipe, const JobFlags& flags) {
  Job job("pretrain", recipe.run, flags, resolved(recipe));
  if (job.is_finished()) return;
  if (!recipe.model.path.empty()) require_one_stack(recipe.model.path, "pretrain");

  // data: documents -> windows of tokens that never see one another
  const auto tokenizer = pretrain_tokenizer(recipe, job);
  Trainable model{pretrain_decoder(recipe, tokenizer), std::nullopt, {}};
  const auto data = job.prepare(data_need(recipe, position_limit(model.decoder.config)), tokenizer);

  // model: every weight is trained
  AdamW optimizer(model.parameters(), recipe.train.optimizer);
  const DataFeed source{&data, &job.comm(), recipe.train, job.seed()};
  const auto supervised = next_token_job("pretrain", {&model.decoder, nullptr}, source);

  // trainer
  RunContext& context = job.begin(supervised.total_steps, plan_hash(source));
  if (job.checkpoint()) restore(*job.checkpoint(), optimizer, context);
  const SampleTable samples(recipe.samples, data, tokenizer);
  const auto generator =
      sample_task(model.decoder, nullptr, model.decoder.config.eos_token_ids, job.seed());
  if (job.comm().is_main() && context.state.step == 0) samples.record(job.log(), 0, generator);
  const auto result = train(supervised, recipe.train, optimizer, context);
  if (job.comm().is_main()) samples.record(job.log(), result.step, generator);

  // export
  Json done = result_json(result);
  if (job.comm().is_main()) {
    done["written"] = save_trainable(model, tokenizer, recipe.model.path, job.folder());
  }
  job.finish(done, "Pretraining");
}

}  // namespace plumb
