#include <map>
#include <numeric>

#include "core/gguf/tensor_plan.h"

namespace plumb {
namespace {

std::string_view linear_name(Linear linear) {
  static const std::map<Linear, std::string_view> names = {
      {Linear::q, "attn_q"},     {Linear::k, "attn_k"},       {Linear::v, "attn_v"},
      {Linear::qkv, "attn_qkv"}, {Linear::o, "attn_output"},  {Linear::gate, "ffn_gate"},
      {Linear::up, "ffn_up"},    {Linear::gate_up, "ffn_up"}, {Linear::down, "ffn_down"}};
  return names.at(linear);
}

// Row r of a head in pairs is row (r % 2) * D / 2 + r / 2 of it in halves.
std::vector<std::int64_t> rows_in_pairs(std::int64_t outputs, std::int64_t head_dim) {
  std::vector<std::int64_t> rows(outputs);
  for (std::int64_t r = 0; r < outputs; ++r) {
    const std::int64_t within = r % head_dim;
    rows[r] = r - within + within % 2 * (head_dim / 2) + within / 2;
  }
  return rows;
}

// file_rows lists, in the files' order, the rows as memory has them (q, then k, then v), which is
// llama.cpp's order too.
std::vector<std::int64_t> rows_of_ranges(const std::vector<RowRange>& file_rows,
                                         std::int64_t outputs) {
  std::vector<std::int64_t> rows(outputs);
  std::int64_t at = 0;
  for (const RowRange& range : file_rows) {
    for (std::int64_t i = 0; i < range.count; ++i) rows[range.begin + i] = at++;
  }
  return rows;
}

}  // namespace

std::vector<GgufLinear> gguf_linears(const ModelConfig& config,
                                     const GgufArchitecture& architecture) {
  std::vector<GgufLinear> linears;
  const TensorNames names = family_of(config).names(config);
  const auto sites = linear_sites(config);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string number = std::to_string(layer);
    for (const LinearSite& site : sites) {
      const bool turns = site.linear == Linear::q || site.linear == Linear::k;
      std::vector<std::int64_t> rows;
      if (turns && architecture.rope_rows == RopeRows::pairs) {
        rows = rows_in_pairs(site.outputs, config.head_dim);
      } else if (site.file_rows.size() > 1) {
        rows = rows_of_ranges(site.file_rows, site.outputs);
      }
      linears.push_back({std::string(names.layers) + number + "." + site.module,
                         "blk." + number + "." + std::string(linear_name(site.linear)),
                         std::move(rows), site.outputs, site.inputs});
    }
  }
  return linears;
}

}  // namespace plumb
