#include "core/gguf/tensor_plan.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <set>

#include "core/error.h"
#include "core/gguf/tensor_rows.h"

namespace plumb {
namespace {

// Builds the plan and remembers which tensors of the files it used.
class Planner {
 public:
  Planner(const ModelConfig& config, const GgufArchitecture& architecture,
          const ShardedModelFiles& files, GgmlType type)
      : config_(config),
        architecture_(architecture),
        files_(files),
        type_(type),
        names_(family_of(config).names(config)) {}

  std::vector<PlannedTensor> plan() {
    const std::string embed = file_name(std::string(names_.embed_tokens));
    const bool is_tied = head_is_tied(embed);
    add_matrix({.name = "token_embd.weight", .from = tensor(embed)}, is_tied);
    if (!names_.embed_positions.empty()) {
      add_matrix({.name = "position_embd.weight",
                  .from = tensor(file_name(std::string(names_.embed_positions)))},
                 false);
    }
    for (const GgufLinear& linear : gguf_linears(config_, architecture_)) add_linear(linear);
    for (std::int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) add_norms(layer);
    add_norm(std::string(names_.final_norm), "output_norm");
    add_head(embed, is_tied);
    add_rope_factors();
    check_nothing_is_left();
    return std::move(plan_);
  }

 private:
  // Files of the bare model leave out what names_.base says.
  std::string file_name(const std::string& name) const {
    if (files_.find(name)) return name;
    if (!names_.base.empty() && name.starts_with(names_.base)) {
      std::string bare = name.substr(names_.base.size());
      if (files_.find(bare)) return bare;
    }
    return name;
  }

  ShardedModelFiles::Tensor tensor(const std::string& name) const {
    const auto found = files_.find(name);
    if (!found) throw Error(files_.folder() + ": the model has no tensor '" + name + "'");
    return *found;
  }

  bool head_is_tied(const std::string& embed) const {
    const std::string head(names_.lm_head);
    if (!files_.find(head)) {
      if (config_.tie_word_embeddings) return true;
      throw Error(files_.folder() + ": the model has no tensor '" + head +
                  "', and its config does not tie it to the embedding");
    }
    return same_content(files_, head, embed);
  }

  void add(PlannedTensor tensor, bool is_head) {
    if (tensor.from.entry != nullptr) used_.insert(tensor.from.entry->name);
    tensor.type = stored_type(tensor, type_, is_head);
    plan_.push_back(std::move(tensor));
  }

  void add_matrix(PlannedTensor tensor, bool is_head) {
    tensor.shape = tensor.from.entry->shape;
    if (tensor.is_transposed) std::swap(tensor.shape.front(), tensor.shape.back());
    add(std::move(tensor), is_head);
  }

  void add_linear(const GgufLinear& linear) {
    PlannedTensor weight{.name = linear.name + ".weight",
                         .from = tensor(file_name(linear.module + ".weight")),
                         .file_row = linear.file_row,
                         .is_transposed = names_.weight_order == WeightOrder::in_out};
    std::vector<std::int64_t> wanted = {linear.outputs, linear.inputs};
    if (weight.is_transposed) std::swap(wanted[0], wanted[1]);
    check_shape(weight.from, wanted);
    add_matrix(std::move(weight), false);
    const std::string bias = file_name(linear.module + ".bias");
    if (!files_.find(bias)) return;
    check_shape(tensor(bias), {linear.outputs});
    add_matrix({.name = linear.name + ".bias", .from = tensor(bias), .file_row = linear.file_row},
               false);
  }

  void check_shape(const ShardedModelFiles::Tensor& tensor,
                   const std::vector<std::int64_t>& wanted) const {
    const TensorEntry& entry = *tensor.entry;
    if (entry.shape == wanted) return;
    throw Error(tensor.file->path() + ": tensor '" + entry.name + "' must be of shape " +
                Json(wanted).dump() + " by the config; it is of " + Json(entry.shape).dump());
  }

  std::string norm_name(NormSite site) const {
    const bool has_both = names_.norms.size() > 1;
    switch (site) {
      case NormSite::attention:
        return std::string(has_both ? architecture_.attention_norm : "attn_norm");
      case NormSite::mlp:
        return std::string(architecture_.mlp_norm);
      case NormSite::after_attention:
        return "post_attention_norm";
      case NormSite::after_mlp:
        return "post_ffw_norm";
      case NormSite::q:
        return "attn_q_norm";
      case NormSite::k:
        return "attn_k_norm";
    }
    return "";
  }

  void add_norm(const std::string& module, const std::string& name) {
    PlannedTensor weight{.name = name + ".weight", .from = tensor(file_name(module + ".weight"))};
    if (config_.norm == Norm::rms_one_plus) weight.added = 1;
    add_matrix(std::move(weight), false);
    const std::string bias = file_name(module + ".bias");
    if (files_.find(bias)) add_matrix({.name = name + ".bias", .from = tensor(bias)}, false);
  }

  void add_norms(std::int64_t layer) {
    const std::string number = std::to_string(layer);
    for (const NormName& norm : names_.norms) {
      add_norm(std::string(names_.layers) + number + "." + std::string(norm.module),
               "blk." + number + "." + norm_name(norm.site));
    }
  }

  void add_head(const std::string& embed, bool is_tied) {
    const std::string head(names_.lm_head);
    if (is_tied) {
      used_.insert(head);
      if (architecture_.output == OutputHead::required) {
        add_matrix({.name = "output.weight", .from = tensor(embed)}, true);
      }
      return;
    }
    if (architecture_.output == OutputHead::never) {
      throw Error(files_.folder() + ": " + head +
                  " differs from the embedding; llama.cpp has no "
                  "head of its own for " +
                  std::string(architecture_.name));
    }
    add_matrix({.name = "output.weight", .from = tensor(head)}, true);
  }

  // What each rotary frequency is divided by (Llama 3.1; transformers' _compute_llama3_parameters).
  void add_rope_factors() {
    const RopeScaling& scaling = config_.rope_scaling;
    if (scaling.type != RopeType::llama3) return;
    PlannedTensor factors{.name = "rope_freqs.weight", .shape = {config_.rotary_dim / 2}};
    const auto context = static_cast<double>(scaling.original_max_position_embeddings);
    for (std::int64_t i = 0; i < config_.rotary_dim; i += 2) {
      const double exponent = static_cast<double>(i) / static_cast<double>(config_.rotary_dim);
      const double wavelength = 2 * std::numbers::pi * std::pow(config_.rope_theta, exponent);
      double factor = 1;
      if (wavelength > context / scaling.low_freq_factor) {
        factor = scaling.factor;
      } else if (wavelength >= context / scaling.high_freq_factor) {
        const double smooth = (context / wavelength - scaling.low_freq_factor) /
                              (scaling.high_freq_factor - scaling.low_freq_factor);
        factor = 1 / ((1 - smooth) / scaling.factor + smooth);
      }
      factors.values.push_back(static_cast<float>(factor));
    }
    add(std::move(factors), false);
  }

  void check_nothing_is_left() const {
    for (const std::string& name : files_.names()) {
      bool is_known = used_.contains(name);
      for (const auto buffer : names_.buffers) is_known = is_known || name.ends_with(buffer);
      if (!is_known) {
        throw Error(files_.folder() + ": tensor '" + name + "' has no place in a GGUF file of " +
                    std::string(architecture_.name));
      }
    }
  }

  const ModelConfig& config_;
  const GgufArchitecture& architecture_;
  const ShardedModelFiles& files_;
  GgmlType type_;
  TensorNames names_;
  std::vector<PlannedTensor> plan_;
  std::set<std::string> used_;
};

}  // namespace

std::int64_t PlannedTensor::rows() const {
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

GgmlType stored_type(const PlannedTensor& tensor, GgmlType wanted, bool is_head) {
  const bool stays = tensor.shape.size() < 2 || tensor.name.ends_with("_norm.weight") ||
                     tensor.name == "position_embd.weight" ||
                     tensor.name.ends_with("attn_rel_b.weight");
  if (stays) return GgmlType::f32;
  const GgmlType type = wanted == GgmlType::q4_0 && is_head ? GgmlType::q8_0 : wanted;
  return tensor.width() % ggml_block_values(type) == 0 ? type : GgmlType::f16;
}

std::vector<PlannedTensor> plan_tensors(const ModelConfig& config,
                                        const GgufArchitecture& architecture,
                                        const ShardedModelFiles& files, GgmlType type) {
  return Planner(config, architecture, files, type).plan();
}

}  // namespace plumb
