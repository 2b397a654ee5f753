#include "core/ops/low_rank_linear.h"

#include <algorithm>
#include <utility>

#include "core/ops/backend.h"
#include "core/ops/check.h"
#include "core/ops/gemm.h"
#include "core/ops/low_rank_device.h"

namespace plumb {
namespace {

using Updates = std::vector<LowRankUpdate>;

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

// Updates [begin, end), whose A's read the same: one thin product serves them all.
struct Group {
  std::size_t begin, end;

  const LowRankUpdate& first(const Updates& updates) const { return updates[begin]; }

  template <class Test>
  bool any(const Updates& updates, const Test& test) const {
    return std::any_of(updates.begin() + begin, updates.begin() + end, test);
  }

  // The A's, one under another: (R of all, I).
  at::Tensor a(const Updates& updates) const {
    std::vector<at::Tensor> all;
    for (std::size_t u = begin; u < end; ++u) {
      all.push_back(updates[u].a);
    }
    return all.size() == 1 ? all[0] : at::cat(all);
  }

  // (rows, R of all)
  at::Tensor empty_narrow(const Updates& updates, const at::Tensor& like) const {
    int64_t rank = 0;
    for (std::size_t u = begin; u < end; ++u) {
      rank += updates[u].a.size(0);
    }
    return at::empty({first(updates).end - first(updates).begin, rank}, like.options());
  }

  // Of a tensor with the group's ranks along `dim`, each update's part.
  void split(const at::Tensor& whole, int64_t dim, const Updates& updates,
             at::Tensor* parts) const {
    int64_t from = 0;
    for (std::size_t u = begin; u < end; ++u) {
      parts[u] = whole.narrow(dim, from, updates[u].a.size(0));
      from += updates[u].a.size(0);
    }
  }
};

bool read_the_same(const LowRankUpdate& one, const LowRankUpdate& other) {
  return one.begin == other.begin && one.end == other.end && one.scale == other.scale &&
         one.dropout.p == 0.0 && other.dropout.p == 0.0;
}

std::vector<Group> groups_of(const Updates& updates) {
  std::vector<Group> groups;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    if (!groups.empty() && read_the_same(groups.back().first(updates), updates[u])) {
      groups.back().end = u + 1;
    } else {
      groups.push_back({u, u + 1});
    }
  }
  return groups;
}

// grad_x = grad_y W + grad_narrow A; parts behind a dropout come apart.
at::Tensor grad_input(const at::Tensor& w, const Updates& updates, const at::Tensor& grad_y,
                      const std::vector<std::pair<Group, at::Tensor>>& grad_narrow) {
  const at::Tensor grad_x = at::empty({grad_y.size(0), w.size(1)}, grad_y.options());
  std::vector<Gemm> all{{grad_x, {{grad_y, w}}}};
  for (const auto& [group, narrow] : grad_narrow) {
    const LowRankUpdate& first = group.first(updates);
    if (first.dropout.p == 0.0) {
      all[0].terms.push_back({narrow, group.a(updates), first.begin});
    } else {
      all.push_back({at::empty({narrow.size(0), w.size(1)}, w.options()), {{narrow, first.a}}});
    }
  }
  gemm(all);
  std::size_t part = 1;
  for (const auto& [group, narrow] : grad_narrow) {
    const LowRankUpdate& first = group.first(updates);
    if (first.dropout.p > 0.0) {
      dropout_(all[part].out, first.dropout);
      rows_of(grad_x, first).add_(all[part++].out);
    }
  }
  return grad_x;
}

}  // namespace

at::Tensor low_rank_linear(const at::Tensor& x, const at::Tensor& w, const at::Tensor& addend,
                           const std::vector<LowRankUpdate>& updates,
                           std::vector<at::Tensor>& saved) {
  check_shape(w, {-1, x.size(1)}, "low_rank_linear: w");
  check_same_type(w, x, "low_rank_linear: w");
  for (const LowRankUpdate& update : updates) {
    check_update(update, x);
  }
  const at::NoGradGuard no_grad;
  saved.resize(updates.size());
  if (const KernelTable* const kernels = updates.empty() ? nullptr : kernels_for(x)) {
    const at::Tensor y = at::empty({x.size(0), w.size(0)}, x.options());
    gemm({{y, {{x, w.t()}}, addend}});
    device_low_rank_forward(*kernels, updates, x, y, saved);
    return y;
  }
  std::vector<Gemm> thin;
  for (const Group& group : groups_of(updates)) {
    const LowRankUpdate& first = group.first(updates);
    const at::Tensor narrow = group.empty_narrow(updates, x);
    thin.push_back(
        {narrow, {{dropped(rows_of(x, first), first), group.a(updates).t()}}, {}, first.scale});
    group.split(narrow, /*dim=*/1, updates, saved.data());
  }
  gemm(thin);
  Gemm wide{at::empty({x.size(0), w.size(0)}, x.options()), {{x, w.t()}}, addend};
  for (std::size_t u = 0; u < updates.size(); ++u) {
    wide.terms.push_back({saved[u], updates[u].b.t(), updates[u].begin, updates[u].column});
  }
  gemm({wide});
  return wide.out;
}

LowRankBackward low_rank_backward(const at::Tensor& w, const std::vector<LowRankUpdate>& updates,
                                  const std::vector<at::Tensor>& saved, const at::Tensor& grad_y,
                                  InputGradient grad_x) {
  const at::NoGradGuard no_grad;
  const bool forms_grad_x = grad_x == InputGradient::formed;
  LowRankBackward result;
  if (const KernelTable* const kernels = updates.empty() ? nullptr : kernels_for(grad_y)) {
    if (forms_grad_x) {
      result.grad_x = product_of(grad_y, w);
    }
    device_low_rank_backward(*kernels, updates, saved, grad_y, result);
    return result;
  }
  result.grad_b.resize(updates.size());
  result.grad_narrow.resize(updates.size());
  std::vector<std::pair<Group, at::Tensor>> grad_narrow;
  std::vector<Gemm> thin;
  for (const Group& group : groups_of(updates)) {
    if (forms_grad_x || group.any(updates, [](const auto& u) { return u.a.requires_grad(); })) {
      grad_narrow.emplace_back(group, group.empty_narrow(updates, grad_y));
      group.split(grad_narrow.back().second, /*dim=*/1, updates, result.grad_narrow.data());
    }
    for (std::size_t u = group.begin; u < group.end; ++u) {
      const at::Tensor grad_target = target_of(grad_y, updates[u]);
      if (updates[u].b.requires_grad()) {
        result.grad_b[u] = at::empty_like(updates[u].b, at::MemoryFormat::Contiguous);
        thin.push_back({result.grad_b[u].t(), {{saved[u].t(), grad_target}}});
      }
      if (result.grad_narrow[u].defined()) {
        thin.push_back(
            {result.grad_narrow[u], {{grad_target, updates[u].b}}, {}, updates[u].scale});
      }
    }
  }
  gemm(thin);
  if (forms_grad_x) {
    result.grad_x = grad_input(w, updates, grad_y, grad_narrow);
  }
  return result;
}

std::vector<at::Tensor> low_rank_grad_a(const std::vector<LowRankUpdate>& updates,
                                        const at::Tensor& x,
                                        const std::vector<at::Tensor>& grad_narrow) {
  const at::NoGradGuard no_grad;
  if (const KernelTable* const kernels =
          updates.empty() || !x.defined() ? nullptr : kernels_for(x)) {
    return device_low_rank_grad_a(*kernels, updates, x, grad_narrow);
  }
  std::vector<at::Tensor> grads(updates.size());
  std::vector<Gemm> all;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    if (updates[u].a.requires_grad()) {
      grads[u] = at::empty_like(updates[u].a, at::MemoryFormat::Contiguous);
      all.push_back(
          {grads[u], {{grad_narrow[u].t(), dropped(rows_of(x, updates[u]), updates[u])}}});
    }
  }
  gemm(all);
  return grads;
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
