#include "core/plan/roofline.h"

#include <algorithm>

namespace plumb::plan {
namespace {

struct Rates {
  double flops, bytes, attention;
  double value_bytes;
};

double gemm_seconds(const std::vector<Gemm>& gemms, const Rates& rates) {
  double seconds = 0;
  for (const Gemm& gemm : gemms) {
    seconds +=
        std::max(gemm.flops() / rates.flops, gemm.elements() * rates.value_bytes / rates.bytes);
  }
  return seconds;
}

double pass_seconds(const Pass& pass, const Rates& rates) {
  return gemm_seconds(layer_gemms(pass), rates) + gemm_seconds(head_gemms(pass), rates) +
         attention_flops(pass) / rates.attention +
         streamed_values(pass) * rates.value_bytes / rates.bytes;
}

double decode_seconds(const Decode& decode, const Rates& rates) {
  return gemm_seconds(decode_gemms(decode), rates) +
         cache_values(decode) * rates.value_bytes / rates.bytes;
}

}  // namespace

double seconds_on(const WorkItem& item, const Device& device, const Precision& precision) {
  const Rates rates{device.flops * kGemmShare, device.bytes_per_second * kMemoryShare,
                    device.flops * device.attention_share, precision.activations};
  switch (item.kind) {
    case WorkKind::pass:
      return pass_seconds(item.pass, rates);
    case WorkKind::decode:
      return decode_seconds(item.decode, rates);
    case WorkKind::sweep:
      break;
  }
  return item.bytes / rates.bytes;
}

}  // namespace plumb::plan
