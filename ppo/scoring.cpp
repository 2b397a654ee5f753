#include "ppo/scoring.h"

#include "core/error.h"
#include "core/profile/span.h"

namespace plumb {

namespace {

using Scores = std::vector<double>;  // (B)

std::vector<std::string> response_texts(const PpoModels& models, const Trajectory& trajectory) {
  std::vector<std::string> texts;
  for (int64_t b = 0; b < trajectory.num_responses(); ++b) {
    texts.push_back(models.tokenizer->decode(trajectory.response(b)));
  }
  return texts;
}

Scores score_texts(const ScoreTerm& term, const std::vector<std::string>& texts,
                   const Trajectory& trajectory) {
  Scores scores;
  for (int64_t b = 0; b < trajectory.num_responses(); ++b) {
    const std::string& answer = trajectory.answers[b];
    if (term.needs_answer && answer.empty()) {
      throw Error(
          "ppo.reward compares with the data's answer, and a prompt has none: name the "
          "column of the answers in data.columns.answer, or drop such rows");
    }
    scores.push_back(term.text({texts[b], answer, trajectory.response_length(b)}));
  }
  return scores;
}

Scores score_by_another_base(const ModelReward& reward, const PpoModels& models,
                             const Trajectory& trajectory) {
  if (reward.tokenizer == nullptr) return score_sequences(reward.scorer, trajectory.sequences);
  std::vector<std::vector<int32_t>> encoded;
  for (const auto& sequence : trajectory.sequences) {
    encoded.push_back(reward.tokenizer->encode(models.tokenizer->decode(sequence)));
  }
  return score_sequences(reward.scorer, encoded);
}

// normalised = (raw - mean) / scale of each model term, as kept with the reward model.
at::Tensor normalised_sum(const std::vector<ScoreTerm>& terms, const RewardOptions& options,
                          const at::Tensor& term_scores) {
  at::Tensor sum = at::zeros({term_scores.size(0)}, at::kDouble);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    at::Tensor scores = term_scores.select(1, static_cast<int64_t>(i));
    if (terms[i].model && options.normalise_scores == "model") {
      const RewardStatistics& kept = terms[i].model->statistics;
      scores = (scores - kept.mean) / kept.scale;
    }
    sum.add_(scores, terms[i].weight);
  }
  return sum;
}

}  // namespace

std::vector<RewardTerm> reward_terms(const RewardOptions& options) {
  std::vector<RewardTerm> terms = options.terms;
  if (!options.model.empty()) {
    RewardTerm& term = terms.emplace_back();
    term.path = options.model;
  }
  if (!options.word.empty()) {
    RewardTerm& term = terms.emplace_back();
    term.kind = "word";
    term.word = options.word;
  }
  if (terms.empty()) {
    throw Error(
        "ppo.reward names nothing to reward: set ppo.reward.model (folder of a reward "
        "model), ppo.reward.word, or ppo.reward.terms",
        Exit::usage);
  }
  return terms;
}

ScoreTerm text_term(const RewardTerm& term) {
  ScoreTerm made;
  made.weight = term.weight;
  made.text = make_text_reward(term);
  made.needs_answer = needs_answer(term);
  return made;
}

bool shares_base(const ScoreTerm& term, const PpoModels& models) {
  return term.model && term.model->scorer.decoder == models.decoder &&
         term.model->tokenizer == nullptr;
}

void score_responses(const std::vector<ScoreTerm>& terms, const RewardOptions& options,
                     const PpoModels& models, Trajectory& trajectory) {
  const profile::Span span("reward");
  const auto texts = response_texts(models, trajectory);
  trajectory.raw_scores = at::zeros({trajectory.num_responses()}, at::kDouble);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    at::Tensor column = trajectory.term_scores.select(1, static_cast<int64_t>(i));
    if (!shares_base(terms[i], models)) {
      column.copy_(at::tensor(terms[i].model
                                  ? score_by_another_base(*terms[i].model, models, trajectory)
                                  : score_texts(terms[i], texts, trajectory),
                              at::kDouble));
    }
    trajectory.raw_scores.add_(column, terms[i].weight);
  }

  at::Tensor scores = normalised_sum(terms, options, trajectory.term_scores);
  if (options.score_clip) scores.clamp_(-*options.score_clip, *options.score_clip);
  if (options.missing_eos_penalty) {
    double* score = scores.data_ptr<double>();
    for (int64_t b = 0; b < trajectory.num_responses(); ++b) {
      if (!trajectory.ended[b]) score[b] -= *options.missing_eos_penalty;
    }
  }
  trajectory.scores = scores;
}

}  // namespace plumb
