#include "lora/linears.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "core/model/tensor_files.h"

namespace plumb {

void check_adapter_shape(int64_t layer, const LinearSite& site, const LowRank& pair) {
  const bool fits = pair.a.defined() && pair.b.defined() && pair.a.dim() == 2 &&
                    pair.b.dim() == 2 && pair.a.size(1) == site.inputs &&
                    pair.b.size(0) == site.outputs && pair.a.size(0) == pair.b.size(1);
  if (fits) return;
  const auto sizes = [](const at::Tensor& tensor) {
    return tensor.defined() ? shape_text(tensor.sizes()) : std::string("missing");
  };
  throw Error("layers." + std::to_string(layer) + "." + site.module +
              ": this base needs lora_A (R, " + std::to_string(site.inputs) + ") and lora_B (" +
              std::to_string(site.outputs) + ", R), the adapter holds " + sizes(pair.a) + " and " +
              sizes(pair.b) + ": it was made for another base");
}

at::Tensor in_file_order(const LinearSite& site, const at::Tensor& b) {
  if (site.file_rows.size() == 1) return b;
  std::vector<at::Tensor> pieces;
  for (const RowRange& rows : site.file_rows) pieces.push_back(b.narrow(0, rows.begin, rows.count));
  return at::cat(pieces);
}

at::Tensor in_memory_order(const LinearSite& site, const at::Tensor& b) {
  if (site.file_rows.size() == 1) return b;
  at::Tensor ordered = at::empty_like(b);
  int64_t row = 0;
  for (const RowRange& rows : site.file_rows) {
    ordered.narrow(0, rows.begin, rows.count).copy_(b.narrow(0, row, rows.count));
    row += rows.count;
  }
  return ordered;
}

}  // namespace plumb
