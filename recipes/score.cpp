// Rewards of texts, or of preference pairs.
//   plumb score MODEL --reward out/reward/adapter --data pairs.jsonl --json
#include "reward/score.h"

#include <iostream>

#include "core/error.h"
#include "core/io/position_limit.h"
#include "core/log.h"
#include "recipes/common/text_column.h"
#include "recipes/device.h"
#include "recipes/job.h"
#include "recipes/job_entries.h"
#include "recipes/use_model.h"

namespace plumb {
namespace {

UsedModel open_scored(const ScoreOptions& options) {
  if (!options.reward.empty() && !options.use.adapter.empty()) {
    throw Error("plumb score takes --reward or --adapter, not both", Exit::usage);
  }
  const auto& adapter = options.reward.empty() ? options.use.adapter : options.reward;
  auto model = open_model(options.model, adapter);
  if (!model.score.defined()) {
    throw Error((adapter.empty() ? options.model : adapter) +
                    ": holds no scalar head; give --reward a reward model made by plumb reward",
                Exit::usage);
  }
  return model;
}

void normalise(std::vector<double>& scores, const RewardStatistics& statistics) {
  for (double& score : scores) score = (score - statistics.mean) / statistics.scale;
}

void score_pair_file(const ScoreOptions& options, const UsedModel& model, const Scorer& scorer) {
  DataNeed need;
  need.kind = SampleKind::preference;
  need.data.path = options.data;
  need.data.chat_template = options.chat_template;
  need.data.too_long = options.too_long;
  need.context = position_limit(model.decoder->config);
  need.run.threads = options.use.threads;
  const auto data = prepare_data(need, model.tokenizer, Telling::quiet);
  if (data.accounting().rows_skipped() > 0) log::info(data.accounting().describe());
  auto scores = score_pairs(scorer, data.train, data.train.size());
  const double accuracy = scores.accuracy();
  if (options.normalise) {
    normalise(scores.chosen, model.statistics);
    normalise(scores.rejected, model.statistics);
  }
  if (options.use.json) {
    std::cout << Json{{"accuracy", accuracy},
                      {"chosen", scores.chosen},
                      {"rejected", scores.rejected}}
                     .dump()
              << "\n";
    return;
  }
  for (size_t i = 0; i < scores.chosen.size(); ++i)
    std::cout << scores.chosen[i] << "\t" << scores.rejected[i] << "\n";
  std::cout << "accuracy " << accuracy << " over " << scores.chosen.size() << " pairs\n";
}

std::vector<std::vector<int32_t>> encode_texts(const std::vector<std::string>& texts,
                                               const UsedModel& model) {
  const int64_t context = position_limit(model.decoder->config);
  std::vector<std::vector<int32_t>> sequences;
  for (const auto& text : texts) {
    sequences.push_back(model.tokenizer.encode(text));
    const auto length = static_cast<int64_t>(sequences.back().size());
    if (length == 0 || length > context) {
      throw Error("text " + std::to_string(sequences.size()) + " has " + std::to_string(length) +
                  " tokens; the model takes 1 to " + std::to_string(context));
    }
  }
  return sequences;
}

}  // namespace

void run_score(const ScoreOptions& options) {
  choose_device(options.use.device, options.use.threads);
  if (options.text.empty() == options.data.empty()) {
    throw Error("plumb score takes either --text or --data", Exit::usage);
  }
  const auto model = open_scored(options);
  const Scorer scorer{model.decoder.get(), model.adapter(), model.score,
                      options.micro_batch_tokens};
  if (!options.data.empty() && !has_column(options.data.front(), "text")) {
    return score_pair_file(options, model, scorer);
  }
  std::vector<std::string> texts = options.text;
  for (const auto& path : options.data) {
    const auto more = read_text_column(path, "text");
    texts.insert(texts.end(), more.begin(), more.end());
  }
  auto scores = score_sequences(scorer, encode_texts(texts, model));
  if (options.normalise) normalise(scores, model.statistics);
  if (options.use.json) {
    std::cout << Json{{"scores", scores}}.dump() << "\n";
    return;
  }
  for (const double score : scores) std::cout << score << "\n";
}

}  // namespace plumb
