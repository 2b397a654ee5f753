// PPO against a reward, with a KL penalty: policy and critic are adapters on one base.
//   plumb ppo recipes/ppo.yaml model.path=MODEL data.path=[prompts.jsonl] ppo.reward.model=REWARD
#include "core/error.h"
#include "core/io/position_limit.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/ppo_roles.h"
#include "recipes/trainable.h"

namespace plumb {

void run_ppo(const PpoRecipe& recipe, const JobFlags& flags) {
  Job job("ppo", recipe.run, flags, resolved(recipe));
  if (job.is_finished()) return;

  // model: base, policy, reference, critic, rewards
  PpoJob ppo;
  const auto roles = load_roles(recipe, ppo.terms);
  ppo.models = roles->models(recipe.model.path);

  // data: prompts, a part of them held out
  auto need = data_need(recipe, position_limit(roles->decoder->config));
  need.is_text_to_text = roles->decoder->config.is_encoder_decoder;
  const auto data = job.prepare(need, roles->tokenizer);
  ppo.prompts = &data.train;
  ppo.held_out = data.validation ? &*data.validation : nullptr;
  ppo.ppo = recipe.ppo;
  ppo.train = recipe.train;
  ppo.seed = job.seed();

  // trainer
  const int64_t responses = data.train.size() * recipe.ppo.rollout.samples_per_prompt;
  RunContext& context = job.begin(total_steps(recipe.train, responses), plan_hash(ppo));
  PpoTrainer trainer(ppo, context);
  if (job.checkpoint()) trainer.restore(*job.checkpoint());
  const auto result = trainer.train();

  // export: the policy; the critic beside it, for a run that goes on from here
  Json done = result_json(result);
  if (job.comm().is_main()) {
    const Trainable policy{*roles->decoder, roles->policy, {}};
    done["written"] = save_trainable(policy, trained_tokenizer(roles->tokenizer, data.accounting()),
                                     recipe.model.path, job.folder());
    roles->critic.base_model = roles->policy.base_model;
    save_peft(roles->critic, roles->decoder->config, job.folder() + "/critic",
              UntrainedAdapter::allow);
  }
  job.finish(done, "PPO");
}

}  // namespace plumb
