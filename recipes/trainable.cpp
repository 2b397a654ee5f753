#include "recipes/trainable.h"

#include <cmath>
#include <filesystem>
#include <numbers>

#include "core/error.h"
#include "core/hub/find.h"
#include "core/io/files.h"
#include "core/log.h"
#include "core/model/place.h"
#include "core/ops/philox.h"
#include "core/profile/span.h"
#include "recipes/device.h"
#include "recipes/probe.h"
#include "recipes/use_model.h"

namespace plumb {
namespace {

constexpr double kSameBits = 1e-5;  // the f32 files hold the tensors' own bits

// What base_model_name_or_path says: the repository on the hub, which means the same to PEFT on
// every machine, else the folder.
std::string base_name(const std::string& base_path) {
  if (const auto on_hub = hub::snapshot_name(base_path)) return on_hub->repo;
  return std::filesystem::absolute(base_path).lexically_normal().string();
}

std::string save_adapter(const Trainable& trained, const Tokenizer& tokenizer,
                         const std::string& base_path, const std::string& folder) {
  const std::string path = folder + "/adapter";
  PeftAdapter peft = *trained.peft;
  peft.score = trained.score;
  peft.base_model = base_name(base_path);
  save_peft(peft, trained.decoder.config, path);
  save_tokenizer(tokenizer, path);
  const auto reopened = placed(load_peft(path, trained.decoder.config));
  check_same(probe(trained.decoder, &trained.peft->adapter, trained.score),
             probe(trained.decoder, &reopened.adapter, reopened.score), kSameBits, path);
  return path;
}

std::string save_model(const Trainable& trained, const Tokenizer& tokenizer,
                       const std::string& folder) {
  const std::string path = folder + "/model";
  files::create_directories(path);
  save_decoder(trained.decoder, path, SaveDtype::f32, trained.score);
  save_tokenizer(tokenizer, path);
  check_same(probe(trained.decoder, nullptr, trained.score),
             probe(placed(load_decoder(path), chosen_device()), nullptr, placed(load_score(path))),
             kSameBits, path);
  return path;
}

}  // namespace

std::vector<NamedTensor> Trainable::parameters() const {
  auto list = peft ? plumb::parameters(peft->adapter) : decoder.parameters();
  if (!score.defined()) return list;
  // A reward model has no logits: an untied head would be trained by nothing.
  std::erase_if(list, [](const NamedTensor& named) { return named.name == "lm_head"; });
  list.push_back({"score", score});
  return list;
}

namespace {

Trainable load_on_cpu(const ModelOptions& model, const LoraOptions& lora, uint64_t seed) {
  if (model.path.empty()) throw Error("model.path: is needed: a Hugging Face folder", Exit::usage);
  Trainable trainable{load_decoder(model.path), std::nullopt, {}};
  if (!model.adapter.empty()) trainable.peft = load_peft(model.adapter, trainable.decoder.config);
  if (lora.rank == 0) {
    if (trainable.peft) {
      merge(trainable.decoder, trainable.peft->adapter);
      trainable.peft.reset();
    }
    trainable.score = load_score(model.path);
    return trainable;
  }
  if (trainable.peft) {
    trainable.score = trainable.peft->score;
    log::info("adapter " + model.adapter + " is trained on; the recipe's lora group is not used");
    return trainable;
  }
  trainable.peft =
      PeftAdapter{make_adapter(trainable.decoder.config, lora, seed), lora, model.path, {}};
  return trainable;
}

}  // namespace

Trainable load_trainable(const ModelOptions& model, const LoraOptions& lora, uint64_t seed) {
  const profile::Span span("load");
  Trainable trainable = load_on_cpu(model, lora, seed);
  move_to(trainable.decoder, chosen_device());
  if (trainable.peft) trainable.peft = placed(*trainable.peft);
  trainable.score = placed(trainable.score);
  return trainable;
}

at::Tensor new_score_head(const ModelConfig& config, uint64_t seed) {
  auto score = at::empty({1, config.hidden_size}, at::kFloat);
  // Box-Muller over two uniforms an element; u1 in (0, 1], so the logarithm is finite.
  constexpr uint64_t kHead = ~uint64_t{0};
  for (int64_t c = 0; c < config.hidden_size; ++c) {
    const double u1 =
        1.0 - random_uniform(seed, Stream::weights, kHead, static_cast<uint64_t>(2 * c));
    const double u2 =
        random_uniform(seed, Stream::weights, kHead, static_cast<uint64_t>(2 * c + 1));
    const double normal = std::sqrt(-2.0 * std::log(u1)) * std::cos(2.0 * std::numbers::pi * u2);
    score.data_ptr<float>()[c] = static_cast<float>(config.initializer_range * normal);
  }
  return placed(score);
}

std::string save_trainable(const Trainable& trained, const Tokenizer& tokenizer,
                           const std::string& base_path, const std::string& folder) {
  const profile::Span span("export");
  return trained.peft ? save_adapter(trained, tokenizer, base_path, folder)
                      : save_model(trained, tokenizer, folder);
}

}  // namespace plumb
