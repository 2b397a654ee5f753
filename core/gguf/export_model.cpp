#include <algorithm>

#include "core/error.h"
#include "core/gguf/export.h"
#include "core/gguf/model_metadata.h"
#include "core/gguf/t5.h"
#include "core/gguf/tensor_write.h"
#include "core/gguf/vocabulary.h"
#include "core/log.h"

namespace plumb {
namespace {

// What becomes of a folder, whichever kind of model it holds.
struct ModelExport {
  GgufMetadata metadata;
  std::vector<PlannedTensor> plan;
  VocabularyNeeds vocabulary;
};

void add_stops(VocabularyNeeds& needs, const std::set<std::int32_t>& of_config,
               const std::string& folder) {
  if (!of_config.empty()) needs.eos = *of_config.begin();
  needs.stops = of_config;
  needs.stops.merge(read_generation_config(folder).eos_token_ids);
}

ModelExport decoder_export(const ShardedModelFiles& files, const GgufExport& options) {
  const ModelConfig config = read_model_config(files.folder());
  const GgufArchitecture& architecture = gguf_architecture(config);
  ModelExport made{.metadata = model_metadata(config, architecture, options.name, options.type),
                   .plan = plan_tensors(config, architecture, files, options.type),
                   .vocabulary = {.rows = config.vocab_size, .bos = config.bos_token_id}};
  add_stops(made.vocabulary, config.eos_token_ids, files.folder());
  return made;
}

ModelExport t5_export(const Json& json, const ShardedModelFiles& files, const GgufExport& options) {
  const ConfigValues config(json, files.folder() + "/config.json");
  ModelExport made{.metadata = t5_metadata(config, options.name, options.type),
                   .plan = plan_t5(config, files, options.type),
                   .vocabulary = {.rows = config.integer("vocab_size")}};
  add_stops(made.vocabulary, config.ids("eos_token_id", {1}), files.folder());
  return made;
}

ModelExport model_export(const ShardedModelFiles& files, const GgufExport& options) {
  const std::string path = files.folder() + "/config.json";
  const Json json = read_json(path);
  const bool is_t5 = ConfigValues(json, path).string("model_type", "") == "t5";
  return is_t5 ? t5_export(json, files, options) : decoder_export(files, options);
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
  const auto files = ShardedModelFiles::open(folder);
  ModelExport made = model_export(files, options);
  for (auto& entry : vocabulary_metadata(Tokenizer::load(folder), made.vocabulary)) {
    made.metadata.push_back(std::move(entry));
  }
  tell_of_f16(made.plan, options.type);
  files::publish_path(path, [&](const std::string& temporary) {
    write_gguf(temporary, made.metadata, gguf_sources(made.plan));
    verify_gguf(temporary, made.metadata, made.plan);
  });
}

}  // namespace plumb
