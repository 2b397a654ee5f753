// A model as the commands that do not train it see it: base, adapter and scalar head.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/model/decoder.h"
#include "core/text/tokenizer.h"
#include "lora/peft_io.h"
#include "reward/reward_model.h"

namespace plumb {

struct UsedModel {
  std::string folder;
  std::shared_ptr<const Decoder> decoder;  // shared where two roles read one base
  Tokenizer tokenizer;
  std::optional<PeftAdapter> peft;
  at::Tensor score;  // (1, C) or undefined
  RewardStatistics statistics;

  const Adapter* adapter() const { return peft ? &peft->adapter : nullptr; }
};

// On the chosen device (recipes/device.h); undefined stays so.
at::Tensor placed(const at::Tensor& tensor);
PeftAdapter placed(PeftAdapter peft);

// A model folder, with an adapter when `adapter_folder` is not empty.
UsedModel open_model(const std::string& folder, const std::string& adapter_folder);

// A reward model: an adapter folder with a head, on `base` when it was trained on that folder, else
// on the base that it names; or a model folder that holds a head.
struct KnownBase {
  std::string folder;
  std::shared_ptr<const Decoder> decoder;
  const Tokenizer* tokenizer = nullptr;
};
UsedModel open_reward_model(const std::string& folder, const KnownBase& base);

// Whether two paths are one folder, or `b` is where the hub's cache keeps repository `a`.
bool same_folder(const std::string& a, const std::string& b);

}  // namespace plumb
