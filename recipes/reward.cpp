// A reward model: a backbone with a scalar head, trained on preference pairs.
//   plumb reward recipes/reward.yaml model.path=MODEL data.path=[pairs.jsonl]
#include <cmath>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/log.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/common/one_stack.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/trainable.h"
#include "reward/reward_job.h"
#include "reward/score.h"

namespace plumb {
namespace {

constexpr int64_t kStatisticsPairs = 2000;  // enough for mean and scale to a few percent

}  // namespace

void run_reward(const RewardRecipe& recipe, const JobFlags& flags) {
  Job job("reward", recipe.run, flags, resolved(recipe));
  if (job.is_finished()) return;
  if (!recipe.model.path.empty()) require_one_stack(recipe.model.path, "reward");

  // data: a pair is two sequences that share their prompt
  const auto tokenizer = Tokenizer::load(tokenizer_folder(recipe.model.path, recipe.model.adapter));
  auto model = load_trainable(recipe.model, recipe.lora, job.seed());
  const auto data = job.prepare(data_need(recipe, position_limit(model.decoder.config)), tokenizer);

  // model: a backbone and a head
  if (!model.score.defined()) model.score = new_score_head(model.decoder.config, job.seed());
  AdamW optimizer(model.parameters(), recipe.train.optimizer);
  const DataFeed source{&data, &job.comm(), recipe.train, job.seed()};
  const auto supervised =
      reward_job({&model.decoder, model.adapter(), model.score}, recipe.loss, source);

  // trainer
  RunContext& context = job.begin(supervised.total_steps, plan_hash(source));
  if (job.checkpoint()) restore(*job.checkpoint(), optimizer, context);
  const auto result = train(supervised, recipe.train, optimizer, context);

  // export: the head is part of the artifact, and so are mean and scale of its scores
  Json done = result_json(result);
  if (job.comm().is_main()) {
    const Scorer scorer{&model.decoder, model.adapter(), model.score,
                        recipe.train.micro_batch_tokens};
    const auto statistics = statistics_of(score_pairs(scorer, data.train, kStatisticsPairs));
    const auto written = save_trainable(model, trained_tokenizer(tokenizer, data.accounting()),
                                        recipe.model.path, job.folder());
    save_reward_statistics(statistics, written);
    done["written"] = written;
    done["reward_mean"] = statistics.mean;
    done["reward_scale"] = statistics.scale;
    if (data.validation) {
      const double accuracy =
          score_pairs(scorer, *data.validation, data.validation->size()).accuracy();
      done["held_out_accuracy"] = accuracy;
      log::info("reward: ranks " + std::to_string(std::lround(accuracy * 100)) + " % of " +
                std::to_string(data.validation->size()) + " held-out pairs right");
    }
  }
  job.finish(done, "Reward model");
}

}  // namespace plumb
