#include "core/plan/memory.h"

#include <algorithm>
#include <numeric>

namespace plumb::plan {
namespace {

// core/ops/token_loss.cpp
constexpr double kChunkBytes = 8 << 20;
constexpr double kMinChunkRows = 256;
// core/model/generate_batch.cpp, core/ops/decode_attention.h
constexpr std::int64_t kPromptRows = 256;
constexpr std::int64_t kKeyBlock = 16;

// Widths of a layer's rows.
struct Widths {
  explicit Widths(const ModelConfig& config)
      : C(static_cast<double>(config.hidden_size)),
        F(static_cast<double>(config.intermediate_size)),
        gate_up(config.is_gated ? 2 * F : F),
        q(static_cast<double>(config.num_attention_heads * config.head_dim)),
        qkv(q + 2 * static_cast<double>(config.num_key_value_heads * config.head_dim)),
        heads(static_cast<double>(config.num_attention_heads)),
        stats(config.norm == Norm::layer ? 2 : 1),
        post(config.has_post_norms ? C + stats : 0) {}

  double C, F, gate_up, q, qkv, heads;
  double stats;  // numbers that a norm keeps of a row
  double post;   // kept before a norm of a block's result
};

// Values of a row that an attention block keeps from forward to backward: q, k, v as one,
// attention's output with its log-sum-exp, the norm's statistics, and the block's result, which is
// the next one's input (core/model/attention_block.cpp, block_ends.h). Kept narrow rows: see
// narrow_values.
double saved_by_attention(const Widths& w) {
  return w.qkv + w.q + w.heads + w.stats + w.post + w.C;
}

// Gate and up, the norm's statistics, the result (core/model/mlp_block.cpp).
double saved_by_mlp(const Widths& w) {
  return w.gate_up + w.stats + w.post + w.C;
}

double rows_in(const Pass& pass, Stack stack) {
  if (!pass.config->is_encoder_decoder) return pass.rows;
  return stack == Stack::encoder ? pass.source_rows : pass.rows - pass.source_rows;
}

// x A^T of every linear that an adapter updates (core/ops/low_rank_linear.cpp).
double narrow_values(const Pass& pass) {
  double values = 0;
  for (const RowGroup& group : pass.groups) {
    for (const LayerStack& stack : group.adapter.stacks) {
      const double rows = group.rows * rows_in(pass, stack.stack) / std::max(1.0, pass.rows);
      values += rows * static_cast<double>(group.adapter.rank * std::ssize(stack.sites)) *
                static_cast<double>(stack.count);
    }
  }
  return values;
}

double saved_values(const Pass& pass, const Widths& w) {
  double values = narrow_values(pass);
  for (const LayerStack& stack : layer_stacks(*pass.config)) {
    const double rows = rows_in(pass, stack.stack) * static_cast<double>(stack.count);
    values += rows * saved_by_attention(w);
    if (stack.stack == Stack::cross) {
      // The encoder's keys and values, formed by ATen from what the encoder gave.
      values += pass.source_rows * (w.qkv - w.q) * static_cast<double>(stack.count);
    } else {
      values += rows * saved_by_mlp(w);
    }
  }
  return values + pass.rows * w.C;  // the embedding's rows
}

// Beyond what is kept, at the deepest point of backward, the last layer's: the gradients of rows
// (core/model/block_ends.cpp), and of the MLP's weights until autograd has added them up.
double backward_values(const Pass& pass, const Widths& w) {
  const double N = pass.config->is_encoder_decoder ? pass.rows - pass.source_rows : pass.rows;
  const double rows = N * (w.C + std::max(w.F, 2 * w.C));
  const double weights = pass.trains_base ? (w.gate_up + w.F) * w.C : 0;
  return rows + weights;
}

// Alive at once in the widest block of a pass without gradients.
double forward_values(const Pass& pass, const Widths& w) {
  return pass.rows * std::max(3 * w.C + w.gate_up + w.F, 2 * w.C + w.qkv + w.q);
}

double head_values(const Pass& pass, const Precision& precision) {
  const ModelConfig& config = *pass.config;
  const double C = static_cast<double>(config.hidden_size);
  const double V = static_cast<double>(config.vocab_size);
  if (pass.head_rows <= 0) return 0;
  const double chunk = head_chunk_rows(config, pass.head_rows, precision.activations) * V;
  if (!pass.has_backward) return pass.head_rows * C + chunk;
  // A tied head's gradient waits for the embedding's until backward ends.
  return 2 * pass.head_rows * C + std::max(chunk, pass.rows * C) + (pass.trains_base ? V * C : 0);
}

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Doubled from the prompt's length on.
std::int64_t cache_positions(const DecodeRoom& room) {
  std::int64_t capacity = rounded_up(room.prompt + 1, kKeyBlock);
  while (capacity < room.positions) capacity *= 2;
  return capacity;
}

}  // namespace

const char* kind_name(Kind kind) {
  static constexpr const char* kNames[kNumKinds] = {
      "weights",     "decode copy", "other models",    "adapters",  "gradients", "optimizer",
      "activations", "head",        "keys and values", "allocator", "program"};
  return kNames[static_cast<int>(kind)];
}

double Phase::total() const {
  return std::accumulate(bytes.begin(), bytes.end(), 0.0);
}

double decode_copy_bytes(const ModelConfig& config, const std::string& format) {
  const double bytes = format == "bf16" ? 2 : format == "int8" ? 1 + 4.0 / 32 : 0;
  double values = static_cast<double>(config.vocab_size * config.hidden_size);
  for (const LayerStack& stack : layer_stacks(config)) {
    for (const ProductShape& product : products_of(stack)) {
      values += static_cast<double>(product.outputs * product.inputs * stack.count);
    }
  }
  return bytes * values;
}

double head_chunk_rows(const ModelConfig& config, double rows, double value_bytes) {
  const double row_bytes = static_cast<double>(config.vocab_size) * value_bytes;
  return std::max(1.0, std::min(std::max(kMinChunkRows, kChunkBytes / row_bytes), rows));
}

PassMemory pass_memory(const Pass& pass, const Precision& precision) {
  const Widths w(*pass.config);
  const double values = pass.has_backward
                            ? saved_values(pass, w) + backward_values(pass, w) + 2 * pass.rows * w.C
                            : forward_values(pass, w);
  return {values * precision.activations, head_values(pass, precision) * precision.activations};
}

double decode_memory(const DecodeRoom& room, const Precision& precision) {
  const ModelConfig& config = *room.config;
  const Widths w(config);
  const double slots = static_cast<double>(room.slots);
  const double rows = static_cast<double>(std::max(kPromptRows, room.slots));
  const double cache = slots * static_cast<double>(cache_positions(room)) * (w.qkv - w.q) *
                       static_cast<double>(config.num_hidden_layers);
  const double buffers = rows * (3 * w.C + w.qkv + w.q + w.gate_up + w.F);
  const double logits = slots * static_cast<double>(config.vocab_size);
  const double adapter = static_cast<double>(count_parameters(room.adapter));
  return (cache + buffers + logits + adapter) * precision.activations;
}

}  // namespace plumb::plan
