#include "recipes/new_model.h"

#include "core/data/texts.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/log.h"
#include "core/model/place.h"
#include "core/text/train.h"
#include "recipes/common/new_config.h"
#include "recipes/device.h"

namespace plumb {
namespace {

TokenizerTraining training_options(const PretrainRecipe& recipe) {
  const TokenizerOptions& options = recipe.tokenizer;
  TokenizerTraining training;
  training.kind = parse_tokenizer_kind(options.kind, "tokenizer.kind");
  training.vocab_size = options.vocab_size;
  training.min_frequency = options.min_frequency;
  training.bos_token = options.bos_token;
  training.eos_token = options.eos_token;
  training.special_tokens = options.special_tokens;
  training.model_max_length = recipe.architecture.max_position_embeddings;
  training.threads = static_cast<int>(recipe.run.threads);
  return training;
}

// Texts are counted a few megabytes at a time, so that a corpus never stands in memory.
Tokenizer train_on_texts(const PretrainRecipe& recipe) {
  constexpr std::size_t kBytesAtOnce = std::size_t{16} << 20;
  TokenizerTrainer trainer(training_options(recipe));
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  const auto count = [&] {
    trainer.add(texts);
    texts.clear();
    bytes = 0;
  };
  for_each_text(recipe.data, [&](std::string text) {
    bytes += text.size();
    texts.push_back(std::move(text));
    if (bytes >= kBytesAtOnce) count();
  });
  count();
  return trainer.finish();
}

ModelConfig config_for(const ArchitectureOptions& shape, const Tokenizer& tokenizer) {
  ModelConfig config = new_config(shape, tokenizer.vocab_size());
  config.bos_token_id = tokenizer.bos_id();
  if (const auto eos = tokenizer.eos_id()) config.eos_token_ids = {*eos};
  config.pad_token_id = tokenizer.pad_id();
  check_model_config(config, "architecture");
  return config;
}

}  // namespace

Tokenizer pretrain_tokenizer(const PretrainRecipe& recipe, Job& job) {
  if (!recipe.tokenizer.path.empty()) return Tokenizer::load(recipe.tokenizer.path);
  if (!recipe.model.path.empty()) return Tokenizer::load(recipe.model.path);
  const std::string folder = job.folder() + "/tokenizer";
  if (job.comm().is_main() && !job.goes_on()) {
    const auto trained = train_on_texts(recipe);
    files::create_directories(folder);
    save_tokenizer(trained, folder);
    log::info("tokenizer: trained " + recipe.tokenizer.kind + " with " +
              std::to_string(trained.vocab_size()) + " tokens, " + folder);
  }
  job.comm().barrier();
  return Tokenizer::load(folder);
}

Decoder pretrain_decoder(const PretrainRecipe& recipe, const Tokenizer& tokenizer) {
  if (!recipe.model.path.empty()) return placed(load_decoder(recipe.model.path), chosen_device());
  return placed(create_decoder(config_for(recipe.architecture, tokenizer),
                               static_cast<uint64_t>(recipe.run.seed)),
                chosen_device());
}

}  // namespace plumb
