#include "tests/simt/tensors/counted_kernels.h"

#include <array>
#include <vector>

#include "core/error.h"
#include "tests/simt/machine.h"

namespace plumb::simt {
namespace {

#define PLUMB_ENTRIES(entry)                                                                      \
  entry(embedding_forward) entry(embedding_backward) entry(rms_norm_forward)                      \
      entry(rms_norm_backward) entry(layer_norm_forward) entry(layer_norm_backward) entry(rope)   \
          entry(activation_forward) entry(activation_backward) entry(cache_write)                 \
              entry(decode_attention) entry(head_stats) entry(head_gradient) entry(cross_entropy) \
                  entry(policy_head) entry(gae) entry(grad_norm) entry(adamw) entry(adamw8)       \
                      entry(moments) entry(whiten) entry(kl_rewards) entry(value_loss)            \
                          entry(pair_loss) entry(head_norm_forward) entry(head_norm_backward)     \
                              entry(sample_tokens) entry(varlen_forward) entry(varlen_backward)   \
                                  entry(nf4_quantise) entry(nf4_dequantise) entry(nf4_gemv)       \
                                      entry(int8_gemv) entry(int8_quantise)                       \
                                          entry(low_rank_forward) entry(low_rank_backward)

#define PLUMB_NAME(name) #name,
constexpr std::array kNames{PLUMB_ENTRIES(PLUMB_NAME)};
#undef PLUMB_NAME
static_assert(sizeof(KernelTable) == sizeof(int64_t) + kNames.size() * sizeof(void*),
              "an entry of KernelTable is missing in PLUMB_ENTRIES");

std::array<int64_t, kNames.size()> counts{};

void fail_on_defects(const char* name) {
  const std::vector<Defect> defects = take_defects();
  if (defects.empty()) {
    return;
  }
  std::string text = name;
  text += ": the launch has defects";
  for (const Defect& defect : defects) {
    text += '\n';
    text += defect.text();
  }
  throw Error(text, Exit::failed);
}

template <size_t kIndex, auto kEntry>
struct Counted;
template <size_t kIndex, class... Arguments, void (*KernelTable::*kEntry)(Arguments...)>
struct Counted<kIndex, kEntry> {
  static void call(Arguments... arguments) {
    ++counts[kIndex];
    try {
      (plumb_kernel_table()->*kEntry)(arguments...);
    } catch (const LaunchStopped&) {  // what stopped it has been reported
    }
    fail_on_defects(kNames[kIndex]);
  }
};

KernelTable make_table() {
  KernelTable table;
  table.bytes = sizeof(KernelTable);
  enum Index : size_t {
#define PLUMB_INDEX(name) k_##name,
    PLUMB_ENTRIES(PLUMB_INDEX)
#undef PLUMB_INDEX
  };
#define PLUMB_FILL(name) table.name = &Counted<k_##name, &KernelTable::name>::call;
  PLUMB_ENTRIES(PLUMB_FILL)
#undef PLUMB_FILL
  return table;
}

}  // namespace

const KernelTable* counted_kernels() {
  static const KernelTable table = make_table();
  return &table;
}

std::map<std::string, int64_t> launch_counts() {
  std::map<std::string, int64_t> all;
  for (size_t i = 0; i < kNames.size(); ++i) {
    all[kNames[i]] = counts[i];
  }
  return all;
}

void reset_launch_counts() {
  counts.fill(0);
}

}  // namespace plumb::simt
