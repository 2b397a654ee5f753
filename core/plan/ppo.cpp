#include <algorithm>
#include <cmath>

#include "core/plan/persistent.h"
#include "core/plan/plan.h"

namespace plumb::plan {
namespace {

double adapters_of(const std::vector<AdapterShape>& shapes) {
  double count = 0;
  for (const AdapterShape& shape : shapes) count += static_cast<double>(count_parameters(shape));
  return count;
}

Persistent persistent_of(const PpoShape& shape, const ParameterCount& count) {
  const double C = static_cast<double>(shape.config->hidden_size);
  Persistent kept;
  kept.base = static_cast<double>(count.total());
  kept.trained = adapters_of({shape.policy, shape.critic}) + C;
  kept.adapters = kept.trained + adapters_of({shape.reference}) + adapters_of(shape.rewards) +
                  C * static_cast<double>(shape.rewards.size());
  kept.moment_bytes = moment_bytes(shape.options.optimizer);
  return kept;
}

double other_parameters(const PpoShape& shape) {
  double count = 0;
  for (const OtherModel& other : shape.others) {
    count += static_cast<double>(count_parameters(*other.config).total() +
                                 count_parameters(other.adapter) + other.config->hidden_size);
  }
  return count;
}

// A rank's responses of an iteration, as long as they may get.
struct Responses {
  double count = 0;
  double prompt = 0;  // mean length
  double response = 0;
  double rows = 0;  // of all, one role
  std::int64_t longest_prompt = 0;

  double length() const { return prompt + response; }
};

Responses responses_of(const PpoShape& shape) {
  Responses all;
  all.count = std::ceil(static_cast<double>(shape.options.batch_size) /
                        static_cast<double>(shape.division.ranks));
  all.prompt = shape.prompts.mean_length();
  all.response = static_cast<double>(shape.response_length);
  all.rows = all.count * all.length();
  all.longest_prompt = shape.prompts.longest();
  return all;
}

// Rows of micro-batches in which each response stands once for every role (ppo/micro_rows.cpp).
struct Micros {
  double count = 0;
  double widest = 0;  // rows of one role
};

Micros divide(const PpoShape& shape, const Responses& all, double responses, double roles) {
  const double room =
      std::max(1.0, std::floor(static_cast<double>(shape.division.micro_batch_tokens) / roles));
  const double longest = static_cast<double>(all.longest_prompt) + all.response;
  const double rows = responses * all.length();
  const double fit = std::max(1.0, std::floor(room / std::max(1.0, all.length())));
  return {std::ceil(responses / fit), std::max(longest, std::min(room, rows))};
}

Pass roles_pass(const PpoShape& shape, const Responses& all, double rows,
                const std::vector<std::pair<AdapterShape, bool>>& roles, double heads) {
  Pass pass;
  pass.config = shape.config;
  pass.rows = rows * static_cast<double>(roles.size());
  pass.head_rows = rows * all.response / all.length() * heads;
  pass.length = all.length();
  pass.source_rows = shape.config->is_encoder_decoder ? pass.rows * all.prompt / all.length() : 0;
  for (const auto& [adapter, is_trained] : roles) {
    pass.groups.push_back({rows, adapter, is_trained});
  }
  return pass;
}

Pass scoring_pass(const PpoShape& shape, const Responses& all, double rows) {
  std::vector<std::pair<AdapterShape, bool>> roles = {
      {shape.policy, false}, {shape.reference, false}, {shape.critic, false}};
  for (const AdapterShape& reward : shape.rewards) roles.emplace_back(reward, false);
  return roles_pass(shape, all, rows, roles, 2);
}

Pass update_pass(const PpoShape& shape, const Responses& all, double rows) {
  Pass pass = roles_pass(shape, all, rows, {{shape.policy, true}, {shape.critic, true}}, 1);
  pass.has_backward = true;
  return pass;
}

double scoring_roles(const PpoShape& shape) {
  return 3 + static_cast<double>(shape.rewards.size());
}

DecodeRoom rollout_room(const PpoShape& shape, const Responses& all) {
  return {shape.config, shape.policy,
          std::min(shape.decode_batch, static_cast<std::int64_t>(all.count)), all.longest_prompt,
          all.longest_prompt + shape.response_length};
}

Pass other_pass(const OtherModel& other, const Responses& all, double rows) {
  Pass pass;
  pass.config = other.config;
  pass.rows = rows;
  pass.length = all.length();
  pass.groups = {{rows, other.adapter, false}};
  return pass;
}

double other_rows(const PpoShape& shape, const Responses& all) {
  return std::min(all.rows,
                  std::max(static_cast<double>(shape.division.micro_batch_tokens), all.length()));
}

void add_phases(const PpoShape& shape, const Persistent& kept, const Responses& all,
                const Precision& precision, Plan& plan) {
  const auto phase = [&](const std::string& name) {
    Phase made = phase_of(name, kept, precision);
    made[Kind::other_models] = other_parameters(shape) * precision.weights;
    made[Kind::decode_weights] = decode_copy_bytes(*shape.config, shape.decode_weights);
    return made;
  };
  Phase rollout = phase("rollout");
  rollout[Kind::cache] = decode_memory(rollout_room(shape, all), precision);
  plan.phases.push_back(rollout);

  Phase scoring = phase("scoring");
  const Micros scored = divide(shape, all, all.count, scoring_roles(shape));
  add_pass(scoring, scoring_pass(shape, all, scored.widest), precision);
  for (const OtherModel& other : shape.others) {
    const PassMemory memory =
        pass_memory(other_pass(other, all, other_rows(shape, all)), precision);
    scoring[Kind::activations] = std::max(scoring[Kind::activations], memory.activations);
  }
  plan.phases.push_back(scoring);

  Phase update = phase("update");
  const double responses = std::ceil(all.count / static_cast<double>(shape.mini_batches));
  const Micros updated = divide(shape, all, responses, 2);
  add_pass(update, update_pass(shape, all, updated.widest), precision);
  plan.phases.push_back(update);
  Phase checkpoint = checkpoint_phase(kept, 0, precision);
  for (const Kind kind : {Kind::other_models, Kind::decode_weights}) {
    checkpoint[kind] = rollout[kind];
  }
  plan.phases.push_back(checkpoint);
}

void add_rollout(const PpoShape& shape, const Responses& all, double rollouts, Plan& plan) {
  const double slots = static_cast<double>(rollout_room(shape, all).slots);
  WorkItem prompts{.phase = "rollout", .kind = WorkKind::decode};
  constexpr double kPromptRows = 256;  // core/model/generate_batch.cpp
  const double prompt_rows = all.count * all.prompt / static_cast<double>(shape.samples_per_prompt);
  prompts.decode = {shape.config,   std::min(kPromptRows, prompt_rows),
                    all.prompt / 2, shape.policy,
                    true,           shape.decode_weights};
  prompts.times = rollouts * std::ceil(prompt_rows / kPromptRows);
  plan.work.push_back(prompts);
  WorkItem steps{.phase = "rollout", .kind = WorkKind::decode};
  steps.decode = {shape.config, slots, all.prompt + all.response / 2,
                  shape.policy, false, shape.decode_weights};
  steps.times = rollouts * all.response * std::ceil(all.count / slots);
  plan.work.push_back(steps);
}

void add_work(const PpoShape& shape, const Persistent& kept, const Responses& all, Plan& plan) {
  const double iterations = plan.updates;
  const auto every = static_cast<double>(shape.options.eval_every);
  const double evaluations =
      shape.held_out > 0 ? 2 + (every > 0 ? std::floor((iterations - 1) / every) : 0) : 0;
  const double rollouts =
      iterations +
      evaluations * std::min<double>(1, static_cast<double>(shape.held_out) /
                                            static_cast<double>(shape.options.batch_size));
  add_rollout(shape, all, rollouts, plan);

  const Micros scored = divide(shape, all, all.count, scoring_roles(shape));
  WorkItem scoring{.phase = "scoring", .times = rollouts * scored.count};
  scoring.pass = scoring_pass(shape, all, all.rows / scored.count);
  plan.work.push_back(scoring);
  for (const OtherModel& other : shape.others) {
    const double rows = other_rows(shape, all);
    WorkItem item{.phase = "scoring", .times = rollouts * all.rows / rows};
    item.pass = other_pass(other, all, rows);
    plan.work.push_back(item);
  }

  const double minibatches = static_cast<double>(shape.mini_batches);
  const double updates = iterations * static_cast<double>(shape.epochs) * minibatches;
  const Micros updated = divide(shape, all, std::ceil(all.count / minibatches), 2);
  WorkItem update{.phase = "update", .times = updates * updated.count};
  update.pass = update_pass(shape, all, all.rows / minibatches / updated.count);
  plan.work.push_back(update);
  plan.work.push_back({.phase = "optimizer",
                       .kind = WorkKind::sweep,
                       .times = updates,
                       .bytes = 4 * kept.trained * (7 + 3)});
}

void add_disk(const PpoShape& shape, const Persistent& kept, const Responses& all, Plan& plan) {
  const auto every = static_cast<double>(shape.options.checkpoint_every);
  const double made = every > 0 ? std::max(1.0, std::ceil(plan.updates / every)) : 1;
  const double held = std::min(made, static_cast<double>(shape.options.keep_checkpoints));
  plan.disk.emplace_back("checkpoints (" + std::to_string(static_cast<int>(held)) + ")",
                         held * checkpoint_bytes(kept));
  plan.disk.emplace_back("results", 4 * kept.trained);
  // ppo/rollout_file.cpp: ids, and five numbers a token.
  plan.disk.emplace_back("rollouts", static_cast<double>(shape.kept_rollouts) * all.rows *
                                         static_cast<double>(shape.division.ranks) * 24);
}

}  // namespace

Plan plan_ppo(const PpoShape& shape, const Precision& precision) {
  Plan plan;
  plan.job = "ppo";
  plan.config = shape.config;
  plan.parameters = count_parameters(*shape.config);
  plan.micro_batch_tokens = shape.division.micro_batch_tokens;
  const Persistent kept = persistent_of(shape, plan.parameters);
  const Responses all = responses_of(shape);
  const std::int64_t responses = shape.prompts.samples * shape.samples_per_prompt;
  plan.trained = static_cast<std::int64_t>(kept.trained);
  plan.samples = static_cast<double>(shape.prompts.samples);
  plan.updates = static_cast<double>(total_steps(shape.options, responses));
  plan.updates_in_each = static_cast<double>(shape.epochs * shape.mini_batches);
  plan.tokens = plan.updates * all.rows * static_cast<double>(shape.division.ranks);
  add_phases(shape, kept, all, precision, plan);
  add_work(shape, kept, all, plan);
  add_disk(shape, kept, all, plan);
  return plan;
}

}  // namespace plumb::plan
