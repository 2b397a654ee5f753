#include "recipes/cli/plan_shapes.h"

#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/position_limit.h"
#include "recipes/cli/plan_data.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/common/new_config.h"

namespace plumb {
namespace {

constexpr int64_t kDocumentPrompt = 8;  // recipes/sample_table.cpp

// A folder of shapes alone (config.json) is planned for too.
std::optional<Tokenizer> tokenizer_at(const std::string& folder) {
  for (const char* file : {"tokenizer.json", "tokenizer.model", "spiece.model", "tekken.json",
                           "vocab.json", "vocab.txt"}) {
    if (!folder.empty() && files::exists(folder + "/" + file)) return Tokenizer::load(folder);
  }
  return std::nullopt;
}

template <class Recipe>
plan::Division division_of(const Recipe& recipe) {
  return {recipe.train.batch_size, recipe.train.micro_batch_tokens, recipe.run.ranks,
          static_cast<std::uint64_t>(recipe.run.seed)};
}

plan::SampleRoom sample_room(const SampleTableOptions& options, const Tokenizer* tokenizer) {
  plan::SampleRoom room{options.count, kDocumentPrompt, options.max_new_tokens};
  if (options.prompts.empty()) return room;
  room.count = static_cast<int64_t>(options.prompts.size());
  for (const std::string& prompt : options.prompts) {
    const auto tokens =
        tokenizer != nullptr ? std::ssize(tokenizer->encode(prompt)) : std::ssize(prompt) / 3;
    room.prompt = std::max<int64_t>(room.prompt, tokens);
  }
  return room;
}

// Options with a known number of updates, where neither data nor train.steps tell it.
TrainOptions with_steps(TrainOptions options, const plan::DataShape& data) {
  if (options.steps == 0 && data.samples == 0) options.steps = 1;
  return options;
}

void add_notes(const plan::DataShape& data, const TrainOptions& options, plan::Plan& plan) {
  plan.notes.push_back("data: " + data.how);
  if (options.steps == 0 && data.samples == 0) {
    plan.notes.push_back("train.steps is not set either, so time and tokens are of one update");
  }
}

// Adapter that is trained: a new one, or the one that training starts from; rank 0: all weights.
LoraOptions trained_adapter(const ModelOptions& model, const LoraOptions& lora,
                            const PlanModels& models) {
  if (lora.rank == 0 || model.adapter.empty()) return lora;
  return models.adapter(model.adapter).options;
}

template <class Recipe>
plan::SupervisedShape shape_of(const std::string& job, const Recipe& recipe,
                               const PlanModels& models) {
  plan::SupervisedShape shape;
  shape.job = job;
  shape.config = models.model(recipe.model.path);
  shape.adapter = adapter_shape(*shape.config, trained_adapter(recipe.model, recipe.lora, models));
  shape.division = division_of(recipe);
  return shape;
}

void take_data(const PlanData& data, const TrainOptions& options, plan::SupervisedShape& shape) {
  shape.train = data.train;
  shape.held_out = data.held_out;
  shape.options = with_steps(options, data.train);
}

PlannedJob planned(const plan::SupervisedShape& shape, const TrainOptions& options,
                   const plan::Precision& precision) {
  PlannedJob job;
  job.plan = plan_supervised(shape, precision);
  add_notes(shape.train, options, job.plan);
  job.with_micro_batch = [shape, precision](int64_t tokens) {
    plan::SupervisedShape other = shape;
    other.division.micro_batch_tokens = tokens;
    return plan_supervised(other, precision);
  };
  return job;
}

template <class Recipe>
void will_write(const Recipe& recipe, const plan::SupervisedShape& shape, PlanModels& models) {
  if (shape.adapter.rank == 0) {
    models.will_make_model(recipe.run.out + "/model", *shape.config);
    return;
  }
  PeftConfig adapter;
  adapter.options.rank = shape.adapter.rank;
  adapter.options.targets = shape.adapter.targets;
  adapter.base_model = recipe.model.path;
  adapter.has_score = shape.has_score;
  models.will_make_adapter(recipe.run.out + "/adapter", adapter);
}

std::optional<Tokenizer> pretrain_tokenizer(const PretrainRecipe& recipe) {
  if (!recipe.tokenizer.path.empty()) return tokenizer_at(recipe.tokenizer.path);
  if (!recipe.model.path.empty()) return tokenizer_at(recipe.model.path);
  return tokenizer_at(recipe.run.out + "/tokenizer");  // an earlier run's
}

}  // namespace

PlannedJob plan_job(const PretrainRecipe& recipe, const plan::Precision& precision,
                    PlanModels& models) {
  const auto tokenizer = pretrain_tokenizer(recipe);
  plan::SupervisedShape shape;
  shape.job = "pretrain";
  if (recipe.model.path.empty()) {
    const int64_t vocab = tokenizer ? tokenizer->vocab_size() : recipe.tokenizer.vocab_size;
    ModelConfig config = new_config(recipe.architecture, vocab);
    check_model_config(config, "architecture");
    shape.config = std::make_shared<const ModelConfig>(config);
  } else {
    shape.config = models.model(recipe.model.path);
  }
  shape.division = division_of(recipe);
  const Tokenizer* known = tokenizer ? &*tokenizer : nullptr;
  take_data(look_at_data(data_need(recipe, position_limit(*shape.config)), known), recipe.train,
            shape);
  shape.samples = sample_room(recipe.samples, known);
  will_write(recipe, shape, models);
  return planned(shape, recipe.train, precision);
}

PlannedJob plan_job(const SftRecipe& recipe, const plan::Precision& precision, PlanModels& models) {
  auto shape = shape_of("sft", recipe, models);
  const auto tokenizer = tokenizer_at(tokenizer_folder(recipe.model.path, recipe.model.adapter));
  const Tokenizer* known = tokenizer ? &*tokenizer : nullptr;
  DataNeed need = data_need(recipe, position_limit(*shape.config));
  need.is_text_to_text = shape.config->is_encoder_decoder;
  take_data(look_at_data(need, known), recipe.train, shape);
  shape.samples = sample_room(recipe.samples, known);
  if (recipe.samples.prompts.empty()) {
    shape.samples.prompt = std::max(shape.samples.prompt, shape.train.longest() / 2);
  }
  will_write(recipe, shape, models);
  return planned(shape, recipe.train, precision);
}

PlannedJob plan_job(const RewardRecipe& recipe, const plan::Precision& precision,
                    PlanModels& models) {
  auto shape = shape_of("reward", recipe, models);
  shape.has_score = true;
  const auto tokenizer = tokenizer_at(tokenizer_folder(recipe.model.path, recipe.model.adapter));
  take_data(look_at_data(data_need(recipe, position_limit(*shape.config)),
                         tokenizer ? &*tokenizer : nullptr),
            recipe.train, shape);
  will_write(recipe, shape, models);
  return planned(shape, recipe.train, precision);
}

namespace {

bool is_base(const std::string& named, const std::string& folder) {
  std::error_code absent;
  return named.empty() || named == folder || std::filesystem::equivalent(named, folder, absent);
}

// A reward model is an adapter on this base, or has a base of its own (recipes/use_model.cpp).
void add_reward(const std::string& folder, const PpoRecipe& recipe, const PlanModels& models,
                plan::PpoShape& shape) {
  if (!models.is_adapter(folder)) {
    shape.others.push_back({models.model(folder), {}});
    return;
  }
  const PeftConfig peft = models.adapter(folder);
  if (is_base(peft.base_model, recipe.model.path)) {
    shape.rewards.push_back(adapter_shape(*shape.config, peft.options));
    return;
  }
  const auto base = models.model(peft.base_model);
  shape.others.push_back({base, adapter_shape(*base, peft.options)});
}

void add_rewards(const PpoRecipe& recipe, const PlanModels& models, plan::PpoShape& shape) {
  const RewardOptions& reward = recipe.ppo.reward;
  for (const RewardTerm& term : reward.terms) {
    if (term.kind == "model") add_reward(term.path, recipe, models, shape);
  }
  if (!reward.model.empty()) add_reward(reward.model, recipe, models, shape);
}

void add_roles(const PpoRecipe& recipe, const PlanModels& models, plan::PpoShape& shape) {
  shape.config = models.model(recipe.model.path);
  shape.policy = adapter_shape(*shape.config, trained_adapter(recipe.model, recipe.lora, models));
  if (!recipe.model.adapter.empty()) shape.reference = shape.policy;
  add_rewards(recipe, models, shape);
  const bool starts_from_reward = recipe.ppo.critic.init != "zero" && !shape.rewards.empty();
  shape.critic = starts_from_reward ? shape.rewards.front()
                                    : adapter_shape(*shape.config, recipe.ppo.critic.lora);
}

}  // namespace

PlannedJob plan_job(const PpoRecipe& recipe, const plan::Precision& precision, PlanModels& models) {
  plan::PpoShape shape;
  add_roles(recipe, models, shape);
  const auto tokenizer = tokenizer_at(tokenizer_folder(recipe.model.path, recipe.model.adapter));
  DataNeed need = data_need(recipe, position_limit(*shape.config));
  need.is_text_to_text = shape.config->is_encoder_decoder;
  const PlanData data = look_at_data(need, tokenizer ? &*tokenizer : nullptr);
  shape.prompts = data.train;
  shape.held_out = data.held_out ? data.held_out->samples : 0;
  const PpoOptions& ppo = recipe.ppo;
  shape.response_length = ppo.rollout.response_length;
  shape.samples_per_prompt = ppo.rollout.samples_per_prompt;
  shape.decode_batch = ppo.rollout.decode_batch;
  shape.decode_weights = ppo.rollout.weights;
  shape.epochs = ppo.num_ppo_epochs;
  shape.mini_batches = ppo.num_mini_batches;
  shape.kept_rollouts = ppo.rollout.keep;
  shape.options = with_steps(recipe.train, shape.prompts);
  shape.division = division_of(recipe);
  PlannedJob job;
  job.plan = plan_ppo(shape, precision);
  add_notes(shape.prompts, recipe.train, job.plan);
  job.with_micro_batch = [shape, precision](int64_t tokens) {
    plan::PpoShape other = shape;
    other.division.micro_batch_tokens = tokens;
    return plan_ppo(other, precision);
  };
  job.plan.notes.push_back("responses are taken to be ppo.rollout.response_length tokens long");
  PeftConfig policy;
  policy.options.rank = shape.policy.rank;
  policy.options.targets = shape.policy.targets;
  policy.base_model = recipe.model.path;
  models.will_make_adapter(recipe.run.out + "/adapter", policy);
  return job;
}

}  // namespace plumb
