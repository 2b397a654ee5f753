#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_files.h"
#include "core/model/decoder.h"
#include "core/model/file_tensors.h"

namespace plumb {
namespace {

constexpr int64_t kConvertedAtOnce = 1 << 20;  // elements

struct FileType {
  Dtype dtype;
  at::ScalarType scalar;
  const char* config_name;
};

FileType file_type(SaveDtype dtype) {
  switch (dtype) {
    case SaveDtype::bf16:
      return {Dtype::bf16, at::kBFloat16, "bfloat16"};
    case SaveDtype::f16:
      return {Dtype::f16, at::kHalf, "float16"};
    default:
      return {Dtype::f32, at::kFloat, "float32"};
  }
}

// Converts a slice at a time, so that saving needs no second copy of the model.
void stream(const at::Tensor& tensor, at::ScalarType type, const files::Sink& sink) {
  const at::Tensor flat = tensor.detach().contiguous().view(-1);
  for (int64_t begin = 0; begin < flat.numel(); begin += kConvertedAtOnce) {
    const int64_t count = std::min(kConvertedAtOnce, flat.numel() - begin);
    const at::Tensor part = flat.narrow(0, begin, count).to(type);
    sink({static_cast<const char*>(part.const_data_ptr()), part.nbytes()});
  }
}

// f16 ends at 65504: a weight beyond would be saved as infinity.
void check_f16_range(const std::vector<FileTensor>& tensors) {
  for (const FileTensor& tensor : tensors) {
    const double largest = tensor.view.detach().abs().max().item<double>();
    if (largest > 65504.0) {
      throw Error("save: tensor " + tensor.name + " holds " + std::to_string(largest) +
                  ", beyond what f16 can hold (65504); save as bf16 or f32");
    }
  }
}

// As LlamaForSequenceClassification with one label: no lm_head, a score instead.
void replace_head(const at::Tensor& score, std::vector<FileTensor>& tensors, ModelConfig& config) {
  std::erase_if(tensors, [](const FileTensor& tensor) { return tensor.name == "lm_head.weight"; });
  tensors.push_back({"score.weight", score});
  config.architectures = {"LlamaForSequenceClassification"};
  config.raw["id2label"] = {{"0", "LABEL_0"}};
  config.raw["label2id"] = {{"LABEL_0", 0}};
}

}  // namespace

void save_decoder(const Decoder& decoder, const std::string& folder, SaveDtype dtype,
                  const at::Tensor& score) {
  const FileType type = file_type(dtype);
  std::vector<FileTensor> tensors = file_tensors(decoder.weights, decoder.config);
  ModelConfig config = decoder.config;
  config.dtype = type.config_name;
  if (score.defined()) {
    replace_head(score, tensors, config);
  }
  if (dtype == SaveDtype::f16) {
    check_f16_range(tensors);
  }
  std::vector<TensorSource> sources;
  for (const FileTensor& tensor : tensors) {
    sources.push_back({tensor.name, type.dtype, tensor.view.sizes().vec(),
                       [view = tensor.view, scalar = type.scalar](const files::Sink& sink) {
                         stream(view, scalar, sink);
                       }});
  }
  GenerationConfig generation;
  generation.bos_token_id = config.bos_token_id;
  generation.eos_token_ids = config.eos_token_ids;
  generation.pad_token_id = config.pad_token_id;

  files::create_directories(folder);
  files::publish(folder + "/config.json", to_json(config).dump(2) + "\n");
  files::publish(folder + "/generation_config.json", to_json(generation).dump(2) + "\n");
  write_sharded(folder, sources);
}

}  // namespace plumb
