#include "core/ops/token_loss.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/gemm.h"
#include "core/ops/head_rows.h"
#include "core/ops/once.h"
#include "core/ops/parallel.h"
#include "core/ops/token_loss_device.h"
#include "core/profile/span.h"

namespace plumb {
namespace {

// A chunk of logits stays in the last-level cache; but each chunk packs the weight anew, so that
// GEMM wants rows all the same: at a vocabulary of 65536, 64 of them took 1.4 times as long as 256.
constexpr int64_t kChunkBytes = 8 << 20;
constexpr int64_t kMinChunkRows = 256;

struct Head {
  at::Tensor hidden;  // (N, C)
  LmHead lm;
  at::Tensor targets;  // (N)
  double temperature;

  int64_t rows() const { return hidden.size(0); }
  int64_t vocab() const { return lm.weight.size(0); }
  template <class T>
  HeadScale<T> scale() const {
    return {static_cast<T>(1.0 / temperature),
            static_cast<T>(lm.softcap > 0 ? 1.0 / lm.softcap : 0)};
  }
};

int64_t chunk_rows(const Head& head) {
  const int64_t row_bytes = head.vocab() * static_cast<int64_t>(head.hidden.element_size());
  const int64_t rows = std::max(kMinChunkRows, kChunkBytes / row_bytes);
  return std::max<int64_t>(1, std::min(rows, head.rows()));
}

// The head, its targets beside its hidden states.
Head checked(Head head) {
  check_shape(head.hidden, {-1, -1}, "token_loss: hidden");
  check_shape(head.lm.weight, {-1, head.hidden.size(1)}, "token_loss: weight");
  check_shape(head.targets, {head.rows()}, "token_loss: targets");
  check_same_type(head.lm.weight, head.hidden, "token_loss: weight");
  if (head.targets.scalar_type() != at::kLong) {
    throw Error(std::string("token_loss: targets must be int64, got ") +
                c10::toString(head.targets.scalar_type()));
  }
  if (!(head.temperature > 0.0)) {
    throw Error("token_loss: temperature must be above 0, got " + std::to_string(head.temperature));
  }
  if (head.rows() == 0) {
    return head;
  }
  const auto [low, high] = head.targets.aminmax();
  if (low.item<int64_t>() < 0 || high.item<int64_t>() >= head.vocab()) {
    throw Error("token_loss: targets must lie in [0, " + std::to_string(head.vocab()) +
                "), got ids from " + std::to_string(low.item<int64_t>()) + " to " +
                std::to_string(high.item<int64_t>()));
  }
  head.targets = head.targets.to(head.hidden.device());
  return head;
}

// Statistics of one chunk, and what the gradient needs besides (head_rows.h).
struct ChunkStats {
  TokenStats stats;
  at::Tensor peak;     // (M)
  at::Tensor log_sum;  // (M)
};

ChunkStats chunk_stats(const at::Tensor& logits, const at::Tensor& targets, double temperature) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  const auto column = [&] { return at::empty({rows}, logits.options()); };
  ChunkStats chunk{{column(), column()}, column(), column()};
  const int64_t* target = targets.const_data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "token_stats", [&] {
    const scalar_t* data = logits.const_data_ptr<scalar_t>();
    scalar_t* logprob = chunk.stats.logprobs.mutable_data_ptr<scalar_t>();
    scalar_t* entropy = chunk.stats.entropy.mutable_data_ptr<scalar_t>();
    scalar_t* peak = chunk.peak.mutable_data_ptr<scalar_t>();
    scalar_t* log_sum = chunk.log_sum.mutable_data_ptr<scalar_t>();
    const auto inverse = static_cast<scalar_t>(1.0 / temperature);
    for_rows(rows, vocab, [&](int64_t row) {
      const auto found = head_row(data + row * vocab, vocab, target[row], inverse);
      logprob[row] = found.logprob;
      entropy[row] = found.entropy;
      peak[row] = found.peak;
      log_sum[row] = found.log_sum;
    });
  });
  return chunk;
}

// Of the head's rows from `begin` on.
void logits_to_gradient(const at::Tensor& logits, const Head& head, int64_t begin,
                        const ChunkStats& chunk, const TokenLossChunk& loss) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  const int64_t* target = head.targets.const_data_ptr<int64_t>() + begin;
  const at::Tensor grad_logprobs = loss.grad_logprobs.to(logits.scalar_type()).contiguous();
  const at::Tensor grad_entropy = loss.grad_entropy.defined()
                                      ? loss.grad_entropy.to(logits.scalar_type()).contiguous()
                                      : at::zeros({rows}, logits.options());
  check_shape(grad_logprobs, {rows}, "token_loss: grad_logprobs");
  check_shape(grad_entropy, {rows}, "token_loss: grad_entropy");
  AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "token_loss", [&] {
    scalar_t* data = logits.mutable_data_ptr<scalar_t>();
    const scalar_t* entropy = chunk.stats.entropy.const_data_ptr<scalar_t>();
    const scalar_t* peak = chunk.peak.const_data_ptr<scalar_t>();
    const scalar_t* log_sum = chunk.log_sum.const_data_ptr<scalar_t>();
    const scalar_t* of_logprob = grad_logprobs.const_data_ptr<scalar_t>();
    const scalar_t* of_entropy = grad_entropy.const_data_ptr<scalar_t>();
    const auto scale = head.scale<scalar_t>();
    for_rows(rows, vocab, [&](int64_t row) {
      head_row_gradient(data + row * vocab, vocab, target[row], scale,
                        HeadRow<scalar_t>{0, entropy[row], peak[row], log_sum[row]},
                        of_logprob[row], of_entropy[row]);
    });
  });
}

void cap_logits(const at::Tensor& logits, double cap) {
  const int64_t vocab = logits.size(1);
  AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "token_loss_cap", [&] {
    scalar_t* data = logits.mutable_data_ptr<scalar_t>();
    for_rows(logits.size(0), vocab,
             [&](int64_t row) { cap_row(data + row * vocab, vocab, static_cast<scalar_t>(cap)); });
  });
}

// (rows, V); kernels read rows that begin at whole 16-byte packs fastest.
at::Tensor logits_buffer(const Head& head, int64_t rows) {
  constexpr int64_t kPack = 8;
  const int64_t vocab = head.vocab();
  const int64_t stride =
      kernels_for(head.hidden) == nullptr ? vocab : (vocab + kPack - 1) / kPack * kPack;
  return at::empty({rows, stride}, head.hidden.options()).narrow(1, 0, vocab);
}

// body(begin, count, logits of these rows); the buffer of logits is one for all chunks. Kernels
// take logits before the cap.
template <class Body>
void for_chunks(const Head& head, const Body& body) {
  const int64_t chunk = chunk_rows(head);
  const at::Tensor buffer = logits_buffer(head, chunk);
  const bool is_capped_here = head.lm.softcap > 0 && kernels_for(head.hidden) == nullptr;
  for (int64_t begin = 0; begin < head.rows(); begin += chunk) {
    const int64_t count = std::min(chunk, head.rows() - begin);
    const at::Tensor logits = buffer.narrow(0, 0, count);
    gemm({{logits, {{head.hidden.narrow(0, begin, count), head.lm.weight.t()}}}});
    if (is_capped_here) {
      cap_logits(logits, head.lm.softcap);
    }
    body(begin, count, logits);
  }
}

struct LossAndGrads {
  double loss = 0.0;
  at::Tensor grad_hidden;  // undefined where not wanted
  at::Tensor grad_weight;
};

struct LossRule {
  const TokenLoss& loss;
  const TokenLossKernel& kernel;  // may be empty
};

DeviceHeadChunk device_chunk(const Head& head, int64_t begin, const at::Tensor& logits) {
  return {logits, head.targets.narrow(0, begin, logits.size(0)), head.temperature, head.lm.softcap};
}

// The loss of the head's rows from `begin` on. Where gradients are wanted, the logits become
// theirs.
double chunk_loss(const Head& head, int64_t begin, const at::Tensor& logits, const LossRule& rule,
                  bool with_gradient) {
  if (const KernelTable* const kernels = kernels_for(logits)) {
    const DeviceHeadChunk chunk = device_chunk(head, begin, logits);
    if (with_gradient && rule.kernel) {
      return rule.loss(device_head_loss(*kernels, chunk, rule.kernel, begin), begin).loss;
    }
    const TokenLossChunk part = rule.loss(device_head_stats(*kernels, chunk), begin);
    if (with_gradient) {
      device_head_gradient(*kernels, chunk, part);
    }
    return part.loss;
  }
  const at::Tensor targets = head.targets.narrow(0, begin, logits.size(0));
  const ChunkStats chunk = chunk_stats(logits, targets, head.temperature);
  const TokenLossChunk part = rule.loss(chunk.stats, begin);
  if (with_gradient) {
    logits_to_gradient(logits, head, begin, chunk, part);
  }
  return part.loss;
}

LossAndGrads loss_and_grads(const Head& head, const LossRule& rule) {
  const profile::Span span("head");
  LossAndGrads result;
  if (head.hidden.requires_grad()) {
    result.grad_hidden = at::empty_like(head.hidden, at::MemoryFormat::Contiguous);
  }
  if (head.lm.weight.requires_grad()) {
    result.grad_weight = at::zeros_like(head.lm.weight);
  }
  const bool with_gradient = result.grad_hidden.defined() || result.grad_weight.defined();
  for_chunks(head, [&](int64_t begin, int64_t count, const at::Tensor& logits) {
    result.loss += chunk_loss(head, begin, logits, rule, with_gradient);
    if (result.grad_hidden.defined()) {
      gemm({{result.grad_hidden.narrow(0, begin, count), {{logits, head.lm.weight}}}});
    }
    if (result.grad_weight.defined()) {
      gemm({{result.grad_weight,
             {{logits.t(), head.hidden.narrow(0, begin, count)}},
             /*addend=*/result.grad_weight}});
    }
  });
  return result;
}

// The gradients are formed in forward; backward hands them over, scaled, once.
struct Handover : torch::CustomClassHolder {
  LossAndGrads made;
  bool spent = false;
};

struct TokenLossFunction : torch::autograd::Function<TokenLossFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight, const Head& head, const LossRule& rule) {
    auto state = c10::make_intrusive<Handover>();
    state->made =
        loss_and_grads({hidden, {weight, head.lm.softcap}, head.targets, head.temperature}, rule);
    ctx->saved_data["state"] = c10::IValue::make_capsule(state);
    return at::scalar_tensor(state->made.loss, hidden.options().requires_grad(false));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    auto* state = static_cast<Handover*>(ctx->saved_data["state"].toCapsule().get());
    refuse_second_backward(state->spent, "token_loss");
    const double scale = grads[0].item<double>();
    for (at::Tensor* grad : {&state->made.grad_hidden, &state->made.grad_weight}) {
      if (grad->defined() && scale != 1.0) {
        grad->mul_(scale);
      }
    }
    return {std::move(state->made.grad_hidden), std::move(state->made.grad_weight), {}, {}};
  }
};

}  // namespace

TokenStats token_stats(const at::Tensor& hidden, const LmHead& lm, const at::Tensor& targets,
                       double temperature) {
  const profile::Span span("head");
  const at::NoGradGuard no_grad;
  const Head head = checked({hidden, lm, targets, temperature});
  TokenStats all{at::empty({head.rows()}, hidden.options()),
                 at::empty({head.rows()}, hidden.options())};
  for_chunks(head, [&](int64_t begin, int64_t count, const at::Tensor& logits) {
    const KernelTable* const kernels = kernels_for(logits);
    const TokenStats chunk =
        kernels != nullptr
            ? device_head_stats(*kernels, device_chunk(head, begin, logits))
            : chunk_stats(logits, head.targets.narrow(0, begin, count), temperature).stats;
    all.logprobs.narrow(0, begin, count).copy_(chunk.logprobs);
    all.entropy.narrow(0, begin, count).copy_(chunk.entropy);
  });
  return all;
}

at::Tensor token_loss(const at::Tensor& hidden, const LmHead& lm, const at::Tensor& targets,
                      double temperature, const TokenLoss& loss, const TokenLossKernel& kernel) {
  const Head head = checked({hidden, lm, targets, temperature});
  const LossRule rule{loss, kernel};
  if (!at::GradMode::is_enabled()) {
    const LmHead frozen{lm.weight.detach(), lm.softcap};
    const double value =
        loss_and_grads({hidden.detach(), frozen, head.targets, temperature}, rule).loss;
    return at::scalar_tensor(value, hidden.options());
  }
  return TokenLossFunction::apply(hidden, lm.weight, head, rule);
}

at::Tensor cross_entropy_sum(const at::Tensor& hidden, const LmHead& head,
                             const at::Tensor& targets, double* entropy) {
  const auto loss = [entropy](const TokenStats& rows, int64_t) {
    if (entropy != nullptr) {
      *entropy += rows.entropy.sum(at::kDouble).item<double>();
    }
    return TokenLossChunk{
        -rows.logprobs.sum(at::kDouble).item<double>(), at::full_like(rows.logprobs, -1.0), {}};
  };
  if (kernels_for(hidden) == nullptr) {
    return token_loss(hidden, head, targets, 1.0, loss);
  }
  const at::Tensor one = at::ones({1}, hidden.options().dtype(at::kFloat));
  const auto kernel = [&one](const KernelTable& kernels, const HeadRows& rows, int64_t,
                             KernelStream stream) {
    kernels.cross_entropy(rows, one.const_data_ptr<float>(), stream);
  };
  return token_loss(hidden, head, targets, 1.0, loss, kernel);
}

}  // namespace plumb
