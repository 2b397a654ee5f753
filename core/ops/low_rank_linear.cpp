#include "core/ops/low_rank_linear.h"

#include "core/ops/check.h"

namespace plumb {
namespace {

at::Tensor rows_of(const at::Tensor& x, const LowRankUpdate& update) {
  return x.narrow(0, update.begin, update.end - update.begin);
}

// The block of y that the update adds to.
at::Tensor target_of(const at::Tensor& y, const LowRankUpdate& update) {
  return rows_of(y, update).narrow(1, update.column, update.b.size(0));
}

at::Tensor dropped(const at::Tensor& x, const LowRankUpdate& update) {
  if (update.dropout.p == 0.0) {
    return x;
  }
  at::Tensor copy = x.clone(at::MemoryFormat::Contiguous);
  dropout_(copy, update.dropout);
  return copy;
}

void check_update(const LowRankUpdate& update, const at::Tensor& x) {
  const int64_t rank = update.a.size(0);
  check_shape(update.a, {rank, x.size(1)}, "low_rank_linear: a");
  check_shape(update.b, {-1, rank}, "low_rank_linear: b");
  check_same_type(update.a, x, "low_rank_linear: a");
  check_same_type(update.b, x, "low_rank_linear: b");
}

}  // namespace

at::Tensor low_rank_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                           const std::vector<LowRankUpdate>& updates,
                           std::vector<at::Tensor>& saved) {
  check_shape(w, {-1, x.size(1)}, "low_rank_linear: w");
  check_same_type(w, x, "low_rank_linear: w");
  at::Tensor y = addend.defined() ? at::addmm(addend, x, w.t()) : at::mm(x, w.t());
  for (const LowRankUpdate& update : updates) {
    check_update(update, x);
    const at::Tensor narrow = at::mm(dropped(rows_of(x, update), update), update.a.t());
    target_of(y, update).addmm_(narrow, update.b.t(), /*beta=*/1, update.scale);
    saved.push_back(narrow);
  }
  return y;
}

LowRankBackward low_rank_backward(const LowRankUpdate& update, const at::Tensor& saved,
                                  const at::Tensor& grad_y, const at::Tensor& grad_x) {
  const at::Tensor grad_target = target_of(grad_y, update);
  LowRankBackward result;
  if (update.b.requires_grad()) {
    result.grad_b = at::mm(grad_target.t(), saved).mul_(update.scale);
  }
  if (!update.a.requires_grad() && !grad_x.defined()) {
    return result;
  }
  result.grad_narrow = at::mm(grad_target, update.b).mul_(update.scale);
  if (!grad_x.defined()) {
    return result;
  }
  if (update.dropout.p == 0.0) {
    rows_of(grad_x, update).addmm_(result.grad_narrow, update.a);
  } else {
    const at::Tensor grad_input = at::mm(result.grad_narrow, update.a);
    dropout_(grad_input, update.dropout);
    rows_of(grad_x, update).add_(grad_input);
  }
  return result;
}

at::Tensor low_rank_grad_a(const LowRankUpdate& update, const at::Tensor& x,
                           const at::Tensor& grad_narrow) {
  if (!update.a.requires_grad()) {
    return {};
  }
  return at::mm(grad_narrow.t(), dropped(rows_of(x, update), update));
}

at::Tensor low_rank_linear_ref(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                               const std::vector<LowRankUpdate>& updates) {
  at::Tensor y = x.matmul(w.t());
  if (addend.defined()) {
    y = y + addend;
  }
  for (const LowRankUpdate& update : updates) {
    at::Tensor mask = at::ones({update.end - update.begin, x.size(1)}, x.options());
    if (update.dropout.p > 0.0) {
      dropout_(mask, update.dropout);
    }
    const at::Tensor delta =
        (rows_of(x, update) * mask).matmul(update.a.t()).matmul(update.b.t()) * update.scale;
    y = y + at::constant_pad_nd(delta, {update.column, y.size(1) - update.column - delta.size(1),
                                        update.begin, y.size(0) - update.end});
  }
  return y;
}

}  // namespace plumb
