#include <algorithm>

#include "core/error.h"
#include "core/gguf/export.h"
#include "core/gguf/model_metadata.h"
#include "core/gguf/tensor_write.h"
#include "core/gguf/vocabulary.h"
#include "core/log.h"

namespace plumb {
namespace {

VocabularyNeeds vocabulary_needs(const ModelConfig& config, const std::string& folder) {
  VocabularyNeeds needs;
  needs.rows = config.vocab_size;
  needs.bos = config.bos_token_id;
  if (!config.eos_token_ids.empty()) needs.eos = *config.eos_token_ids.begin();
  needs.stops = config.eos_token_ids;
  needs.stops.merge(read_generation_config(folder).eos_token_ids);
  return needs;
}

void tell_of_f16(const std::vector<PlannedTensor>& plan, GgmlType wanted) {
  const auto count = std::count_if(plan.begin(), plan.end(), [wanted](const PlannedTensor& tensor) {
    return tensor.type == GgmlType::f16 && wanted != GgmlType::f16;
  });
  if (count == 0) return;
  log::info(std::to_string(count) +
            " tensors are f16: their rows are no multiple of 32 values, as " +
            std::string(ggml_type_name(wanted)) + " needs");
}

}  // namespace

void export_gguf_model(const std::string& folder, const std::string& path,
                       const GgufExport& options) {
  const ModelConfig config = read_model_config(folder);
  const GgufArchitecture& architecture = gguf_architecture(config);
  GgufMetadata metadata = model_metadata(config, architecture, options.name, options.type);
  for (auto& entry :
       vocabulary_metadata(Tokenizer::load(folder), vocabulary_needs(config, folder))) {
    metadata.push_back(std::move(entry));
  }
  const auto files = ShardedModelFiles::open(folder);
  const auto plan = plan_tensors(config, architecture, files, options.type);
  tell_of_f16(plan, options.type);
  files::publish_path(path, [&](const std::string& temporary) {
    write_gguf(temporary, metadata, gguf_sources(plan));
    verify_gguf(temporary, metadata, plan);
  });
}

}  // namespace plumb
