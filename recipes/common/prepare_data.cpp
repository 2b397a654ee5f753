#include "recipes/common/prepare_data.h"

#include "core/error.h"
#include "core/log.h"

namespace plumb {

DataNeed data_need(const PretrainRecipe& recipe, int64_t context) {
  return {SampleKind::text, recipe.data, context, recipe.run, false};
}

DataNeed data_need(const SftRecipe& recipe, int64_t context) {
  return {SampleKind::conversation, recipe.data, context, recipe.run, false};
}

DataNeed data_need(const RewardRecipe& recipe, int64_t context) {
  return {SampleKind::preference, recipe.data, context, recipe.run, false};
}

DataNeed data_need(const PpoRecipe& recipe, int64_t context) {
  const int64_t response = recipe.ppo.rollout.response_length;
  if (response >= context) {
    throw Error("ppo.rollout.response_length: " + std::to_string(response) +
                    " leaves no room for a prompt in the model's context of " +
                    std::to_string(context) + " tokens",
                Exit::usage);
  }
  return {SampleKind::prompt, recipe.data, context - response, recipe.run, false};
}

PreparedData prepare_data(const DataNeed& need, const Tokenizer& tokenizer, Telling telling) {
  DataRequest request;
  request.kind = need.kind;
  request.context = need.context;
  request.is_text_to_text = need.is_text_to_text;
  request.seed = static_cast<std::uint64_t>(need.run.seed);
  request.threads = static_cast<int>(need.run.threads);
  if (telling == Telling::progress) {
    request.progress = [](const PrepareProgress& at) {
      log::debug("data: " + std::to_string(at.rows_read) + " rows, " + std::to_string(at.tokens) +
                 " tokens");
    };
  }
  auto prepared = open_or_prepare(need.data, tokenizer, request);
  if (telling == Telling::progress) {
    log::info("data: " + std::string(prepared.was_ready ? "store is ready, " : "store made, ") +
              prepared.train.store().path());
    log::info(prepared.accounting().describe());
  }
  return prepared;
}

}  // namespace plumb
