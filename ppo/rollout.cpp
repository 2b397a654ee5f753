#include "ppo/rollout.h"

#include <ATen/core/grad_mode.h>

#include <numeric>

#include "core/error.h"
#include "core/model/generate.h"
#include "core/ops/token_loss.h"
#include "core/profile/span.h"
#include "core/train/signals.h"
#include "ppo/micro_rows.h"

namespace plumb {

namespace {

GenerateTask generate_task(const PpoModels& models, const RolloutSettings& settings) {
  GenerateTask task;
  task.decoder = models.decoder;
  task.adapter = models.policy;
  task.tokenizer = models.tokenizer;
  task.eos_ids = models.eos_ids;
  task.sampling.temperature = settings.options.temperature;
  task.sampling.max_new_tokens = settings.options.response_length;
  task.sampling.stop = settings.options.stop;
  task.seed = settings.seed;
  task.max_batch = settings.options.decode_batch;
  task.weights = settings.weights.host;
  task.device_weights = settings.weights.device;
  task.on_token = [](std::size_t, int32_t) { return !stop_requested(); };
  return task;
}

void append(Trajectory& trajectory, const RolloutRequest& request, const Completion& completion) {
  trajectory.sample_ids.push_back(request.sample_id);
  std::vector<int32_t>& sequence = trajectory.sequences.emplace_back(request.prompt);
  sequence.insert(sequence.end(), completion.ids.begin(), completion.ids.end());
  trajectory.prompt_lengths.push_back(static_cast<int64_t>(request.prompt.size()));
  trajectory.cu_response.push_back(trajectory.num_tokens() +
                                   static_cast<int64_t>(completion.ids.size()));
  trajectory.ended.push_back(completion.finish != Finish::length);
  trajectory.answers.push_back(request.answer);
}

// The roles of a pass in the order of their row groups.
std::vector<const Adapter*> roles_of(const PpoModels& models, const std::vector<ScoreTerm>& terms) {
  std::vector<const Adapter*> roles{models.policy, models.reference, models.critic};
  for (const ScoreTerm& term : terms) {
    if (shares_base(term, models)) roles.push_back(term.model->scorer.adapter);
  }
  return roles;
}

// (n, C) of each role, from one pass.
std::vector<at::Tensor> hidden_of_roles(const Decoder& decoder, const PackedBatch& batch,
                                        const std::vector<const Adapter*>& roles) {
  const int64_t n = batch.num_rows();
  const auto num_roles = static_cast<int64_t>(roles.size());
  ForwardOptions options;
  for (int64_t i = 0; i < num_roles; ++i) {
    if (roles[i] != nullptr) options.adapters.push_back({i * n, (i + 1) * n, roles[i]});
  }
  return decoder.hidden(repeat(batch, num_roles), options).split(n);
}

void write_scores(const std::vector<ScoreTerm>& terms, const PpoModels& models,
                  const MicroRows& rows, const std::vector<at::Tensor>& hidden,
                  Trajectory& trajectory) {
  std::size_t role = 3;
  const at::Tensor responses = at::tensor(rows.responses, at::kLong);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (!shares_base(terms[i], models)) continue;
    const at::Tensor scores =
        last_values(hidden[role++], rows.batch.cu_seqlens, terms[i].model->scorer.score);
    trajectory.term_scores.select(1, static_cast<int64_t>(i))
        .index_copy_(0, responses, scores.to(at::kCPU, at::kDouble));
  }
}

// Gathers tensors whose rows are responses, tokens or states: the ranks' rows one after another.
at::Tensor gather_rows(const at::Tensor& rows, Comm& comm) {
  return at::cat(comm.all_gather(rows.contiguous()));
}

}  // namespace

Trajectory sample_responses(const PpoModels& models, const RolloutSettings& settings,
                            const std::vector<RolloutRequest>& requests) {
  const profile::Span span("rollout");
  std::vector<GenerateRequest> prompts;
  for (const RolloutRequest& request : requests) {
    prompts.push_back({request.prompt, request.sample_id});
  }
  const std::vector<Completion> completions = generate(generate_task(models, settings), prompts);

  Trajectory trajectory;
  trajectory.cu_response = {0};
  trajectory.cu_states = {0};
  if (stop_requested()) return trajectory;
  std::vector<float> logprobs;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    append(trajectory, requests[i], completions[i]);
    logprobs.insert(logprobs.end(), completions[i].logprobs.begin(), completions[i].logprobs.end());
  }
  trajectory.sampler_logprobs = at::tensor(logprobs, at::kFloat);
  trajectory.cu_states =
      state_offsets(trajectory.cu_response, settings.options.response_length, settings.placement);
  return trajectory;
}

void evaluate_roles(const PpoModels& models, const std::vector<ScoreTerm>& terms,
                    const RolloutSettings& settings, Trajectory& trajectory) {
  const profile::Span span("scoring");
  const at::NoGradGuard no_grad;
  const at::Device device = models.critic_head.device();
  const auto f32 = at::TensorOptions(at::kFloat).device(device);
  trajectory.logprobs = at::empty({trajectory.num_tokens()}, f32);
  trajectory.ref_logprobs = at::empty_like(trajectory.logprobs);
  trajectory.values = at::empty({trajectory.num_states()}, f32);
  trajectory.sampler_logprobs = trajectory.sampler_logprobs.to(device);
  trajectory.term_scores =
      at::zeros({trajectory.num_responses(), static_cast<int64_t>(terms.size())}, at::kDouble);

  const auto roles = roles_of(models, terms);
  std::vector<int64_t> all(trajectory.sequences.size());
  std::iota(all.begin(), all.end(), 0);
  const double temperature = settings.options.temperature;
  const LmHead head = models.decoder->head();
  for (const auto& micro :
       divide(trajectory, all, static_cast<int64_t>(roles.size()), settings.micro_batch_tokens)) {
    const MicroRows rows = micro_rows(trajectory, micro, device);
    const auto hidden = hidden_of_roles(*models.decoder, rows.batch, roles);
    const auto logprobs = [&](const at::Tensor& role) {
      const at::Tensor predicting = role.index_select(0, rows.predict_rows);
      return token_stats(predicting, head, rows.targets, temperature).logprobs;
    };
    trajectory.logprobs.index_copy_(0, rows.tokens, logprobs(hidden[0]));
    trajectory.ref_logprobs.index_copy_(0, rows.tokens, logprobs(hidden[1]));
    const at::Tensor before = hidden[2].index_select(0, rows.state_rows);
    trajectory.values.index_copy_(0, rows.states, head_values(before, models.critic_head));
    write_scores(terms, models, rows, hidden, trajectory);
  }
}

Trajectory gather(const Trajectory& local, Comm& comm) {
  if (comm.world_size() == 1) return local;
  std::vector<int64_t> numbers;  // five a response
  std::vector<int32_t> ids;
  for (int64_t b = 0; b < local.num_responses(); ++b) {
    numbers.insert(numbers.end(),
                   {static_cast<int64_t>(local.sample_ids[b]), local.prompt_lengths[b],
                    local.response_length(b), local.cu_states[b + 1] - local.cu_states[b],
                    static_cast<int64_t>(local.ended[b])});
    ids.insert(ids.end(), local.sequences[b].begin(), local.sequences[b].end());
  }
  const at::Tensor all_numbers = gather_rows(at::tensor(numbers, at::kLong).reshape({-1, 5}), comm);
  const at::Tensor all_ids = gather_rows(at::tensor(ids, at::kInt), comm);

  Trajectory all;
  all.cu_response = {0};
  all.cu_states = {0};
  const int64_t* number = all_numbers.data_ptr<int64_t>();
  const int32_t* id = all_ids.data_ptr<int32_t>();
  for (int64_t b = 0; b < all_numbers.size(0); ++b, number += 5) {
    all.sample_ids.push_back(static_cast<uint64_t>(number[0]));
    all.sequences.emplace_back(id, id + number[1] + number[2]);
    id += number[1] + number[2];
    all.prompt_lengths.push_back(number[1]);
    all.cu_response.push_back(all.cu_response.back() + number[2]);
    all.cu_states.push_back(all.cu_states.back() + number[3]);
    all.ended.push_back(static_cast<char>(number[4]));
  }
  for (at::Tensor Trajectory::*member :
       {&Trajectory::sampler_logprobs, &Trajectory::logprobs, &Trajectory::ref_logprobs,
        &Trajectory::values, &Trajectory::term_scores, &Trajectory::raw_scores, &Trajectory::scores,
        &Trajectory::kl, &Trajectory::rewards, &Trajectory::advantages, &Trajectory::returns}) {
    if ((local.*member).defined()) all.*member = gather_rows(local.*member, comm);
  }
  return all;
}

}  // namespace plumb
