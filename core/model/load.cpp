#include <ATen/ATen.h>

#include <set>

#include "core/error.h"
#include "core/io/family.h"
#include "core/io/model_files.h"
#include "core/log.h"
#include "core/model/decoder.h"
#include "core/model/file_tensors.h"
#include "core/model/tensor_files.h"

namespace plumb {
namespace {

constexpr const char* kScoreName = "score.weight";  // of a reward model, read by load_score

// The folder's tensors under the family's names.
class FamilyFiles {
 public:
  FamilyFiles(const std::string& folder, const ModelConfig& config)
      : files_(ShardedModelFiles::open(folder)), names_(family_of(config).names(config)) {}

  const std::string& folder() const { return files_.folder(); }

  std::optional<ShardedModelFiles::Tensor> find(std::string_view name) const {
    auto found = files_.find(std::string(name));
    if (!found && !names_.base.empty() && name.starts_with(names_.base)) {
      found = files_.find(std::string(name.substr(names_.base.size())));
    }
    return found;
  }

  ShardedModelFiles::Tensor find_shaped(const std::string& name, at::IntArrayRef shape) const {
    const auto found = find(name);
    if (!found) {
      throw Error(folder() + ": tensor " + name + " is missing; config.json asks for " +
                  shape_text(shape));
    }
    if (shape != at::IntArrayRef(found->entry->shape)) {
      throw Error(found->file->path() + ": tensor " + name + " has shape " +
                  shape_text(found->entry->shape) + ", config.json asks for " + shape_text(shape));
    }
    return *found;
  }

  void load(const FileTensor& wanted) const {
    const auto found = find_shaped(wanted.name, wanted.shape);
    int64_t first = 0;
    for (const at::Tensor& piece : wanted.pieces) {
      read_f32_into(*found.file, *found.entry, piece, first);
      first += piece.numel();
    }
  }

  bool has_embedding() const { return find(names_.embed_tokens).has_value(); }
  bool has_head() const { return find(names_.lm_head).has_value(); }
  bool has_score() const { return find(kScoreName).has_value(); }

  // Before memory is taken for what config.json claims.
  void check(const ModelConfig& config) const;
  // The tensor holds the embedding's values.
  bool is_embedding(std::string_view name, const ModelConfig& config) const;

  const TensorNames& names() const { return names_; }

 private:
  bool is_buffer(std::string_view name) const {
    for (const std::string_view end : names_.buffers) {
      if (name.ends_with(end)) return true;
    }
    return false;
  }

  ShardedModelFiles files_;
  TensorNames names_;
};

void FamilyFiles::check(const ModelConfig& config) const {
  std::set<const TensorEntry*> known;
  for (const FileTensor& tensor : file_tensors(allocate_weights(config, at::kMeta), config)) {
    const bool is_tied_embedding = config.tie_word_embeddings && tensor.name == names_.embed_tokens;
    if (is_tied_embedding && !has_embedding() && has_head()) continue;
    known.insert(find_shaped(tensor.name, tensor.shape).entry);
  }
  for (const std::string_view name : {names_.lm_head, std::string_view(kScoreName)}) {
    if (const auto found = find(name)) known.insert(found->entry);
  }
  for (const std::string_view name : names_.embedding_copies) {
    const auto found = find(name);
    if (!found) continue;
    if (!has_embedding() || !is_embedding(name, config)) {
      throw Error(folder() + ": tensor " + std::string(name) + " must hold the values of " +
                  std::string(names_.embed_tokens) +
                  ": encoder and decoder share one embedding here");
    }
    known.insert(found->entry);
  }
  for (const std::string& name : files_.names()) {
    const TensorEntry* entry = files_.find(name)->entry;
    if (known.contains(entry) || is_buffer(name)) continue;
    throw Error(folder() + ": unexpected tensor " + name + " of shape " + shape_text(entry->shape) +
                "; config.json describes a model without it");
  }
}

bool FamilyFiles::is_embedding(std::string_view name, const ModelConfig& config) const {
  const std::vector<int64_t> shape = {config.vocab_size, config.hidden_size};
  const auto copy = find_shaped(std::string(name), shape);
  const auto embedding = find_shaped(std::string(names_.embed_tokens), shape);
  constexpr int64_t kRowsAtOnce = 1024;
  for (int64_t row = 0; row < shape[0]; row += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, shape[0] - row);
    const at::Tensor one = at::empty({rows, shape[1]}, at::kFloat), other = at::empty_like(one);
    read_f32_into(*copy.file, *copy.entry, one, row * shape[1]);
    read_f32_into(*embedding.file, *embedding.entry, other, row * shape[1]);
    if (!one.equal(other)) return false;
  }
  return true;
}

// Whether the head is the embedding: the flag says so, but the files know better. As transformers
// 5.23 (tie_weights), but for files without a head that should have one, where it draws a new one.
bool is_tied(const FamilyFiles& files, const ModelConfig& config) {
  const std::string head(files.names().lm_head);
  if (!files.has_head()) {
    // Nothing reads a sequence classifier's lm_head.
    if (!config.tie_word_embeddings && !files.has_score()) {
      log::warning(files.folder() + ": holds no " + head +
                   ", though config.json has tie_word_embeddings false: the embedding serves as "
                   "the head");
    }
    return true;
  }
  if (!config.tie_word_embeddings) return false;
  if (!files.has_embedding() || files.is_embedding(head, config)) return true;
  // transformers 5 writes T5's flag as true whatever its files hold.
  if (!config.is_encoder_decoder) {
    log::warning(files.folder() + ": " + head + " differs from " +
                 std::string(files.names().embed_tokens) +
                 ", though config.json ties them: they are taken as two");
  }
  return false;
}

}  // namespace

Decoder load_decoder(const std::string& folder) {
  Decoder decoder;
  decoder.config = read_model_config(folder);
  decoder.generation = read_generation_config(folder);
  const FamilyFiles files(folder, decoder.config);
  decoder.config.tie_word_embeddings = is_tied(files, decoder.config);
  files.check(decoder.config);
  decoder.weights = allocate_weights(decoder.config);
  for (FileTensor& tensor : file_tensors(decoder.weights, decoder.config)) {
    // A tied pair may be saved under the head's name alone.
    if (tensor.name == files.names().embed_tokens && !files.has_embedding()) {
      tensor.name = files.names().lm_head;
    }
    files.load(tensor);
  }
  return decoder;
}

at::Tensor load_score(const std::string& folder) {
  const ModelConfig config = read_model_config(folder);
  const FamilyFiles files(folder, config);
  if (!files.has_score()) return {};
  const at::Tensor score = at::empty({1, config.hidden_size}, at::kFloat);
  files.load({kScoreName, WeightKind::linear, score.sizes().vec(), {score}});
  return score;
}

}  // namespace plumb
