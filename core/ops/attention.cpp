#include "core/ops/attention.h"

#include <cmath>

#include "core/ops/attention_composed.h"
#include "core/ops/attention_device.h"
#include "core/ops/attention_kernels.h"
#include "core/ops/check.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

void check_bounds(const std::vector<int64_t>& bounds, int64_t rows, const char* name) {
  if (bounds.empty() || bounds.front() != 0 || bounds.back() != rows) {
    throw Error("attention: " + std::string(name) + " must run from 0 to the number of rows, " +
                std::to_string(rows));
  }
  for (std::size_t b = 1; b < bounds.size(); ++b) {
    if (bounds[b] < bounds[b - 1]) {
      throw Error("attention: " + std::string(name) + " must not fall, got " +
                  std::to_string(bounds[b]) + " after " + std::to_string(bounds[b - 1]));
    }
  }
}

// Returns the longest number of keys of a sequence.
int64_t check_lengths(const AttentionInputs& in) {
  const std::vector<int64_t>& keys = in.key_bounds();
  if (keys.size() != in.cu_seqlens.size()) {
    throw Error("attention: cu_seqlens has " + std::to_string(in.cu_seqlens.size()) +
                " entries and key_cu_seqlens " + std::to_string(keys.size()));
  }
  int64_t longest = 0;
  for (std::size_t b = 1; b < keys.size(); ++b) {
    const int64_t length = keys[b] - keys[b - 1];
    const int64_t queries = in.cu_seqlens[b] - in.cu_seqlens[b - 1];
    const int64_t needed = in.options.is_causal ? queries : std::min<int64_t>(queries, 1);
    if (length < needed) {
      throw Error("attention: sequence " + std::to_string(b - 1) + " has " +
                  std::to_string(length) + " keys for " + std::to_string(queries) +
                  " queries; a query must see at least one key");
    }
    longest = std::max(longest, length);
  }
  return longest;
}

void check_options(const AttentionInputs& in, int64_t longest) {
  const AttentionOptions& options = in.options;
  const int64_t heads = in.q.size(1);
  if (options.window < 0 || (options.window > 0 && !options.is_causal)) {
    throw Error("attention: window must be 0 (none) or, with is_causal, positive; got " +
                std::to_string(options.window));
  }
  if (options.softcap < 0) {
    throw Error("attention: softcap must be 0 (none) or positive, got " +
                std::to_string(options.softcap));
  }
  if (options.key_bias.defined()) {
    check_shape(options.key_bias, {heads, -1}, "attention: key_bias");
    check_same_type(options.key_bias, in.q, "attention: key_bias");
    if (options.key_bias.size(1) < longest) {
      throw Error("attention: key_bias has " + std::to_string(options.key_bias.size(1)) +
                  " positions, the longest sequence " + std::to_string(longest));
    }
  }
  if (options.relative.table.defined()) {
    check_shape(options.relative.table, {-1, heads}, "attention: relative bias table");
    check_same_type(options.relative.table, in.q, "attention: relative bias table");
  }
}

void check_inputs(const AttentionInputs& in) {
  check_shape(in.q, {-1, -1, -1}, "attention: q");
  const int64_t rows = in.q.size(0), width = in.q.size(2);
  check_shape(in.k, {-1, -1, width}, "attention: k");
  const int64_t key_rows = in.k.size(0), kv_heads = in.k.size(1);
  check_shape(in.v, {key_rows, kv_heads, width}, "attention: v");
  if (in.q.size(1) % kv_heads != 0) {
    throw Error("attention: the number of kv heads (" + std::to_string(kv_heads) +
                ") must divide the number of query heads (" + std::to_string(in.q.size(1)) + ")");
  }
  check_bounds(in.cu_seqlens, rows, "cu_seqlens");
  check_bounds(in.key_bounds(), key_rows,
               in.key_cu_seqlens.empty() ? "cu_seqlens (of k and v)" : "key_cu_seqlens");
  check_options(in, check_lengths(in));
}

// Two products over half of each square, or all of it; five on the way back.
double flops_of(const AttentionInputs& in, double products) {
  double pairs = 0;
  const std::vector<int64_t>& keys = in.key_bounds();
  for (std::size_t b = 1; b < keys.size(); ++b) {
    pairs += static_cast<double>(keys[b] - keys[b - 1]) *
             static_cast<double>(in.cu_seqlens[b] - in.cu_seqlens[b - 1]);
  }
  const double seen = in.options.is_causal ? pairs / 2 : pairs;
  return 2 * products * seen * static_cast<double>(in.q.size(1) * in.q.size(2));
}

bool has_cpu_loops(const AttentionInputs& in) {
  return in.q.is_cpu() && in.q.scalar_type() == at::kFloat;
}

// T5's learned bias has no kernel.
const KernelTable* attention_kernels(const AttentionInputs& in) {
  return in.options.relative.table.defined() ? nullptr : kernels_for(in.q);
}

}  // namespace

double AttentionInputs::scale() const {
  return options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(2))));
}

AttentionOutput attention(const AttentionInputs& in) {
  const profile::Span span("attention", "", profile::is_on() ? flops_of(in, 2) : 0);
  check_inputs(in);
  if (const KernelTable* const kernels = attention_kernels(in)) {
    return device_attention(*kernels, in);
  }
  if (!has_cpu_loops(in)) {
    return composed_attention(in);
  }
  const AttentionOutput result{at::empty(in.q.sizes(), in.q.options()),
                               at::empty({in.q.size(1), in.q.size(0)}, in.q.options())};
  cpu_attention(in, result);
  return result;
}

void attention_backward(const AttentionInputs& in, const AttentionOutput& saved,
                        const at::Tensor& grad_out, const AttentionGrads& grad) {
  const profile::Span span("attention", "backward", profile::is_on() ? flops_of(in, 5) : 0);
  check_shape(grad_out, in.q.sizes(), "attention: grad_out");
  if (grad.relative_table.defined()) {
    check_shape(grad.relative_table, in.options.relative.table.sizes(),
                "attention: gradient of the relative bias table");
  }
  if (const KernelTable* const kernels = attention_kernels(in)) {
    device_attention_backward(*kernels, in, saved, grad_out, grad);
  } else if (has_cpu_loops(in)) {
    cpu_attention_backward(in, saved, grad_out, grad);
  } else {
    composed_attention_backward(in, saved, grad_out, grad);
  }
}

}  // namespace plumb
