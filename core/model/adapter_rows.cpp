#include "core/model/adapter_rows.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace plumb {
namespace {

// Steps and linears share the 64 bits that name a mask: 2^16 linears are 7281 layers.
constexpr int kLinearBits = 16;

Dropout dropout_of(const ForwardOptions& options, const AdapterRows& rows, int64_t layer,
                   Linear linear) {
  if (!options.dropout || rows.adapter->dropout == 0.0) {
    return {};
  }
  const auto index = static_cast<uint64_t>(layer * kNumLinears + static_cast<int>(linear));
  return {rows.adapter->dropout, options.dropout->seed,
          (options.dropout->step << kLinearBits) | index, rows.begin};
}

void check_place(const LowRank& low_rank, const LinearSite& site, int64_t layer) {
  if (low_rank.b.defined() && low_rank.b.dim() == 2 && low_rank.b.size(0) == site.outputs) {
    return;
  }
  throw Error("adapter: layer " + std::to_string(layer) + ", " + site.module + ": b must be (" +
              std::to_string(site.outputs) + ", R) for this base model" +
              (low_rank.b.defined() && low_rank.b.dim() == 2
                   ? ", got (" + std::to_string(low_rank.b.size(0)) + ", " +
                         std::to_string(low_rank.b.size(1)) + ")"
                   : ", got another rank"));
}

}  // namespace

std::vector<LowRankUpdate> layer_updates(const ForwardOptions& options, int64_t layer,
                                         const std::vector<LinearSite>& sites, Product product) {
  std::vector<LowRankUpdate> updates;
  for (const AdapterRows& rows : options.adapters) {
    if (rows.adapter == nullptr || rows.begin == rows.end) {
      continue;
    }
    for (const LinearSite& site : sites) {
      const LowRank& low_rank = rows.adapter->at(layer, site.linear);
      if (site.product != product || !low_rank.defined()) {
        continue;
      }
      check_place(low_rank, site, layer);
      updates.push_back({rows.begin, rows.end, site.row, low_rank.a, low_rank.b,
                         rows.adapter->scale, dropout_of(options, rows, layer, site.linear)});
    }
  }
  return updates;
}

void check_adapters(const ForwardOptions& options, const ModelConfig& config, int64_t num_rows) {
  std::vector<AdapterRows> groups = options.adapters;
  std::sort(groups.begin(), groups.end(), [](const AdapterRows& left, const AdapterRows& right) {
    return left.begin < right.begin;
  });
  int64_t free_from = 0;
  for (const AdapterRows& rows : groups) {
    if (rows.begin < free_from || rows.end < rows.begin || rows.end > num_rows) {
      throw Error("adapters: rows [" + std::to_string(rows.begin) + ", " +
                      std::to_string(rows.end) + ") overlap another group or leave the batch of " +
                      std::to_string(num_rows) + " rows",
                  Exit::failed);
    }
    free_from = rows.end;
    if (rows.adapter != nullptr &&
        static_cast<int64_t>(rows.adapter->layers.size()) != num_layers(config)) {
      throw Error("adapter: it has " + std::to_string(rows.adapter->layers.size()) +
                  " layers, the base model " + std::to_string(num_layers(config)) +
                  "; it was made for another base");
    }
  }
}

}  // namespace plumb
