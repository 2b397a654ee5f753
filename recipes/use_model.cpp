#include "recipes/use_model.h"

#include <filesystem>

#include "core/error.h"
#include "core/hub/find.h"
#include "core/io/files.h"
#include "core/model/place.h"
#include "lora/peft_config.h"
#include "recipes/common/job_tokenizer.h"
#include "recipes/device.h"

namespace plumb {

at::Tensor placed(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(chosen_device()) : tensor;
}

PeftAdapter placed(PeftAdapter peft) {
  move_to(peft.adapter, chosen_device());
  peft.score = placed(peft.score);
  return peft;
}

UsedModel open_model(const std::string& folder, const std::string& adapter_folder) {
  if (is_adapter_folder(folder)) {
    throw Error(folder + ": is an adapter; give its base as MODEL and this folder as --adapter",
                Exit::usage);
  }
  UsedModel model{folder,
                  std::make_shared<const Decoder>(placed(load_decoder(folder), chosen_device())),
                  Tokenizer::load(tokenizer_folder(folder, adapter_folder)),
                  std::nullopt,
                  placed(load_score(folder)),
                  load_reward_statistics(folder)};
  if (!adapter_folder.empty()) {
    model.peft = placed(load_peft(adapter_folder, model.decoder->config));
    if (model.peft->score.defined()) {
      model.score = model.peft->score;
      model.statistics = load_reward_statistics(adapter_folder);
    }
  }
  return model;
}

UsedModel open_reward_model(const std::string& folder, const KnownBase& base) {
  UsedModel model = [&] {
    if (!is_adapter_folder(folder)) return open_model(folder, "");
    const auto config = read_peft_config(folder);
    if (base.decoder &&
        (config.base_model.empty() || same_folder(config.base_model, base.folder))) {
      UsedModel shared{base.folder,
                       base.decoder,
                       *base.tokenizer,
                       placed(load_peft(folder, base.decoder->config)),
                       {},
                       {}};
      shared.score = shared.peft->score;
      shared.statistics = load_reward_statistics(folder);
      return shared;
    }
    const std::string base_folder = hub::folder_of_base(config.base_model);
    if (base_folder.empty()) {
      throw Error(folder + "/adapter_config.json: base_model_name_or_path '" + config.base_model +
                  "' is neither here nor in the hub's cache; put the base there, edit the path, or "
                  "fetch it with plumb info hf:owner/name");
    }
    return open_model(base_folder, folder);
  }();
  if (!model.score.defined()) {
    throw Error(folder + ": holds no scalar head (score.weight); train one with plumb reward");
  }
  return model;
}

bool same_folder(const std::string& a, const std::string& b) {
  std::error_code error;
  // An adapter may name its base as the hub does, "owner/name".
  const auto on_hub = hub::snapshot_name(b);
  return a == b || (on_hub && on_hub->repo == a) || std::filesystem::equivalent(a, b, error);
}

}  // namespace plumb
