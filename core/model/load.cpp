#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/io/model_files.h"
#include "core/model/decoder.h"
#include "core/model/file_tensors.h"

namespace plumb {
namespace {

constexpr const char* kHeadName = "lm_head.weight";
constexpr const char* kScoreName = "score.weight";  // of a reward model, read by load_score

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

// 16-bit values in the upper half of a f32 buffer become f32 over the whole of it. Front to back, a
// value is read before the place it stands in is written, so no second buffer is needed.
template <class Half>
void widen_in_place(float* values, int64_t count) {
  const auto* bytes = reinterpret_cast<const char*>(values) + count * sizeof(Half);
  for (int64_t i = 0; i < count; ++i) {
    Half half;
    std::memcpy(&half, bytes + i * sizeof(Half), sizeof(Half));
    values[i] = static_cast<float>(half);
  }
}

void read_as_f32(const ShardedModelFiles::Tensor& found, const at::Tensor& destination) {
  float* values = destination.mutable_data_ptr<float>();
  const int64_t count = destination.numel();
  char* upper_half = reinterpret_cast<char*>(values) + count * 2;
  switch (found.entry->dtype) {
    case Dtype::f32:
      return found.file->read(*found.entry, values);
    case Dtype::bf16:
      found.file->read(*found.entry, upper_half);
      return widen_in_place<c10::BFloat16>(values, count);
    case Dtype::f16:
      found.file->read(*found.entry, upper_half);
      return widen_in_place<c10::Half>(values, count);
    default:
      throw Error(found.file->path() + ": tensor " + found.entry->name + " is " +
                  std::string(dtype_name(found.entry->dtype)) +
                  "; weights are read from F32, BF16 or F16. Save the model again in one of them");
  }
}

ShardedModelFiles::Tensor find_tensor(const ShardedModelFiles& files, const FileTensor& wanted) {
  const auto found = files.find(wanted.name);
  if (!found) {
    throw Error(files.folder() + ": tensor " + wanted.name + " is missing; config.json asks for " +
                shape_text(wanted.view.sizes()));
  }
  if (wanted.view.sizes() != at::IntArrayRef(found->entry->shape)) {
    throw Error(found->file->path() + ": tensor " + wanted.name + " has shape " +
                shape_text(found->entry->shape) + ", config.json asks for " +
                shape_text(wanted.view.sizes()));
  }
  return *found;
}

void load_tensor(const ShardedModelFiles& files, const FileTensor& wanted) {
  read_as_f32(find_tensor(files, wanted), wanted.view);
}

// Rotary frequencies were saved by transformers before 4.32; they follow from the config.
bool is_derived(const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq");
}

// Before memory is taken for what config.json claims.
void check_names_and_shapes(const ShardedModelFiles& files, const ModelConfig& config) {
  std::set<std::string> known{kHeadName, kScoreName};
  for (const FileTensor& tensor : file_tensors(allocate_weights(config, at::kMeta), config)) {
    find_tensor(files, tensor);
    known.insert(tensor.name);
  }
  for (const std::string& name : files.names()) {
    if (!known.contains(name) && !is_derived(name)) {
      throw Error(files.folder() + ": unexpected tensor " + name + " of shape " +
                  shape_text(files.find(name)->entry->shape) +
                  "; config.json describes a model without it");
    }
  }
}

// The config says tied, the files hold a head all the same: some exporters write both.
void check_tied_head(const ShardedModelFiles& files, const DecoderWeights& weights) {
  const at::Tensor head = at::empty_like(weights.embed_tokens);
  load_tensor(files, {kHeadName, head});
  if (!head.equal(weights.embed_tokens)) {
    throw Error(files.folder() +
                ": config.json ties lm_head to the embedding, but lm_head.weight differs from "
                "model.embed_tokens.weight. If the head is its own, set tie_word_embeddings to "
                "false");
  }
}

}  // namespace

Decoder load_decoder(const std::string& folder) {
  Decoder decoder;
  decoder.config = read_model_config(folder);
  const ShardedModelFiles files = ShardedModelFiles::open(folder);
  // A sequence classifier has a score where others have logits; nothing reads its lm_head.
  if (files.find(kScoreName) && !files.find(kHeadName)) {
    decoder.config.tie_word_embeddings = true;
  }
  check_names_and_shapes(files, decoder.config);
  decoder.weights = allocate_weights(decoder.config);
  for (const FileTensor& tensor : file_tensors(decoder.weights, decoder.config)) {
    load_tensor(files, tensor);
  }
  if (decoder.config.tie_word_embeddings && files.find(kHeadName)) {
    check_tied_head(files, decoder.weights);
  }
  return decoder;
}

at::Tensor load_score(const std::string& folder) {
  const ShardedModelFiles files = ShardedModelFiles::open(folder);
  if (!files.find(kScoreName)) {
    return {};
  }
  at::Tensor score = at::empty({1, read_model_config(folder).hidden_size}, at::kFloat);
  load_tensor(files, {kScoreName, score});
  return score;
}

}  // namespace plumb
