#include "recipes/ppo_roles.h"

#include "core/error.h"
#include "core/log.h"
#include "core/model/place.h"
#include "core/profile/span.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/device.h"
#include "recipes/trainable.h"

namespace plumb {
namespace {

ScoreTerm model_term(const RewardTerm& term, const KnownBase& base, PpoRoles& roles) {
  if (term.path.empty()) throw Error("ppo.reward.terms: kind model needs path", Exit::usage);
  roles.reward_models.push_back(std::make_unique<UsedModel>(open_reward_model(term.path, base)));
  const UsedModel& opened = *roles.reward_models.back();
  ModelReward reward;
  reward.scorer = {opened.decoder.get(), opened.adapter(), opened.score};
  reward.statistics = opened.statistics;
  // The same tokenizer: ids stay ids, and nothing is encoded twice.
  reward.tokenizer =
      opened.tokenizer.hash() == base.tokenizer->hash() ? nullptr : &opened.tokenizer;
  ScoreTerm scored;
  scored.weight = term.weight;
  scored.model = reward;
  return scored;
}

// The first reward model that is an adapter on the policy's base.
const UsedModel* reward_on_base(const PpoRoles& roles) {
  for (const auto& model : roles.reward_models) {
    if (model->decoder == roles.decoder && model->peft) return model.get();
  }
  return nullptr;
}

double weight_of(const UsedModel& reward, const std::vector<ScoreTerm>& terms) {
  for (const auto& term : terms) {
    if (term.model && term.model->scorer.adapter == reward.adapter()) return term.weight;
  }
  return 1.0;
}

// The head is scaled as its term of the score is, so that the first values are of that size.
PeftAdapter critic_from(const UsedModel& reward, double scale) {
  PeftAdapter critic = *reward.peft;
  critic.adapter = clone(reward.peft->adapter);
  critic.score = (reward.score * scale).contiguous();
  return critic;
}

PeftAdapter make_critic(const PpoRecipe& recipe, const PpoRoles& roles,
                        const std::vector<ScoreTerm>& terms) {
  const CriticOptions& options = recipe.ppo.critic;
  const UsedModel* reward = reward_on_base(roles);
  if (options.init == "reward" && reward == nullptr) {
    throw Error(
        "ppo.critic.init: reward needs a reward model that is an adapter on model.path; use zero",
        Exit::usage);
  }
  if (options.init != "zero" && reward != nullptr) {
    const bool normalised = recipe.ppo.reward.normalise_scores == "model";
    return critic_from(*reward,
                       weight_of(*reward, terms) / (normalised ? reward->statistics.scale : 1.0));
  }
  PeftAdapter critic;
  critic.options = options.lora;
  // Another seed than the policy's adapter, so that the two do not start as copies.
  critic.adapter =
      make_adapter(roles.decoder->config, options.lora, static_cast<uint64_t>(recipe.run.seed) + 1);
  critic.score = at::zeros({1, roles.decoder->config.hidden_size});
  return placed(critic);
}

}  // namespace

std::unique_ptr<PpoRoles> load_roles(const PpoRecipe& recipe, std::vector<ScoreTerm>& terms) {
  if (recipe.model.path.empty())
    throw Error("model.path: is needed: a Hugging Face folder", Exit::usage);
  const profile::Span span("load");
  auto roles = std::make_unique<PpoRoles>(PpoRoles{
      Tokenizer::load(tokenizer_folder(recipe.model.path, recipe.model.adapter)),
      std::make_shared<const Decoder>(placed(load_decoder(recipe.model.path), chosen_device())),
      std::nullopt,
      {},
      {},
      {}});
  const ModelConfig& config = roles->decoder->config;
  if (recipe.model.adapter.empty()) {
    const auto seed = static_cast<uint64_t>(recipe.run.seed);
    roles->policy = placed(
        PeftAdapter{make_adapter(config, recipe.lora, seed), recipe.lora, recipe.model.path, {}});
  } else {
    roles->start = placed(load_peft(recipe.model.adapter, config));
    roles->policy = *roles->start;
    roles->policy.adapter = clone(roles->start->adapter);
    log::info("policy and reference start from adapter " + recipe.model.adapter);
  }
  const KnownBase base{recipe.model.path, roles->decoder, &roles->tokenizer};
  for (const auto& term : reward_terms(recipe.ppo.reward)) {
    terms.push_back(term.kind == "model" ? model_term(term, base, *roles) : text_term(term));
  }
  roles->critic = make_critic(recipe, *roles, terms);
  return roles;
}

PpoModels PpoRoles::models(const std::string& folder) const {
  PpoModels models;
  models.decoder = decoder.get();
  models.policy = &policy.adapter;
  models.reference = start ? &start->adapter : nullptr;
  models.critic = &critic.adapter;
  models.critic_head = critic.score;
  models.tokenizer = &tokenizer;
  models.eos_ids = eos_ids_of(folder, decoder->config, tokenizer);
  return models;
}

}  // namespace plumb
