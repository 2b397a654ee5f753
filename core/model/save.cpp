#include <ATen/ATen.h>

#include "core/error.h"
#include "core/io/family.h"
#include "core/io/files.h"
#include "core/io/model_files.h"
#include "core/model/decoder.h"
#include "core/model/file_tensors.h"
#include "core/model/tensor_files.h"

namespace plumb {
namespace {

const char* config_name(SaveDtype dtype) {
  switch (dtype) {
    case SaveDtype::bf16:
      return "bfloat16";
    case SaveDtype::f16:
      return "float16";
    default:
      return "float32";
  }
}

// f16 ends at 65504: a weight beyond would be saved as infinity.
void check_f16_range(const std::vector<FileTensor>& tensors) {
  for (const FileTensor& tensor : tensors) {
    for (const at::Tensor& piece : tensor.pieces) {
      const double largest = piece.detach().abs().max().item<double>();
      if (largest <= 65504.0) continue;
      throw Error("save: tensor " + tensor.name + " holds " + std::to_string(largest) +
                  ", beyond what f16 can hold (65504); save as bf16 or f32");
    }
  }
}

// As the family's classifier with one label: no lm_head, a score instead.
void replace_head(const at::Tensor& score, std::vector<FileTensor>& tensors, ModelConfig& config) {
  const Family& family = family_of(config);
  if (family.classifier.empty()) {
    throw Error("save: transformers has no sequence classifier for " + config.model_type +
                "; save the reward model as an adapter (lora.rank above 0)");
  }
  const std::string_view head = family.names(config).lm_head;
  std::erase_if(tensors, [&](const FileTensor& tensor) { return tensor.name == head; });
  tensors.push_back({"score.weight", WeightKind::linear, score.sizes().vec(), {score}});
  config.architectures = {std::string(family.classifier)};
  config.raw["id2label"] = {{"0", "LABEL_0"}};
  config.raw["label2id"] = {{"LABEL_0", 0}};
}

// The model's own, or what its config says of generation.
GenerationConfig generation_of(const Decoder& decoder) {
  GenerationConfig generation = decoder.generation;
  if (!generation.raw.empty()) return generation;
  generation.bos_token_id = decoder.config.bos_token_id;
  generation.eos_token_ids = decoder.config.eos_token_ids;
  generation.pad_token_id = decoder.config.pad_token_id;
  if (decoder.config.is_encoder_decoder) {  // without it transformers generates nothing
    generation.raw["decoder_start_token_id"] = decoder.config.decoder_start_token_id;
  }
  return generation;
}

}  // namespace

void save_decoder(const Decoder& decoder, const std::string& folder, SaveDtype dtype,
                  const at::Tensor& score) {
  std::vector<FileTensor> tensors = file_tensors(decoder.weights, decoder.config);
  ModelConfig config = decoder.config;
  config.dtype = config_name(dtype);
  if (score.defined()) replace_head(score, tensors, config);
  if (dtype == SaveDtype::f16) check_f16_range(tensors);
  std::vector<TensorSource> sources;
  for (const FileTensor& tensor : tensors) {
    sources.push_back(tensor_source(tensor.name, tensor.shape, tensor.pieces, dtype));
  }
  files::create_directories(folder);
  files::publish(folder + "/config.json", to_json(config).dump(2) + "\n");
  files::publish(folder + "/generation_config.json",
                 to_json(generation_of(decoder)).dump(2) + "\n");
  write_sharded(folder, sources);
}

}  // namespace plumb
