#include "core/ops/low_rank_device.h"

#include <algorithm>

namespace plumb {
namespace {

using Updates = std::vector<LowRankUpdate>;

LowRankGroup group_of(const LowRankUpdate& update) {
  TORCH_INTERNAL_ASSERT(update.a.is_contiguous() && update.b.is_contiguous());
  const Dropout& by = update.dropout;
  return {.begin = update.begin,
          .end = update.end,
          .column = update.column,
          .out_width = update.b.size(0),
          .rank = update.a.size(0),
          .a = update.a.const_data_ptr(),
          .b = update.b.const_data_ptr(),
          .scale = update.scale,
          .dropout = low_rank_dropout(by.p, by.seed, by.id, by.first_row)};
}

// Groups as a launch takes them; `copy` keeps them on the device.
struct Launch {
  at::Tensor copy;
  LowRankGroups of;
};
Launch launch_of(const std::vector<LowRankGroup>& groups, const at::Tensor& like,
                 int64_t in_width) {
  Launch launch{copied_beside(like, groups), {}};
  launch.of = {.groups = static_cast<const LowRankGroup*>(launch.copy.const_data_ptr()),
               .count = static_cast<int64_t>(groups.size()),
               .in_width = in_width,
               .dtype = kernel_dtype(like)};
  for (const LowRankGroup& group : groups) {
    launch.of.max_rows = std::max(launch.of.max_rows, group.end - group.begin);
    launch.of.max_rank = std::max(launch.of.max_rank, group.rank);
    launch.of.max_out = std::max(launch.of.max_out, group.out_width);
  }
  return launch;
}

at::Tensor empty_narrow(const LowRankUpdate& update, const at::Tensor& like) {
  return at::empty({update.end - update.begin, update.a.size(0)}, like.options());
}

// Updates in rounds, none of which has two over the same rows: those add to one grad_x.
std::vector<std::vector<std::size_t>> rounds_of(const Updates& updates) {
  std::vector<std::vector<std::size_t>> rounds;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    const auto is_apart = [&](const std::vector<std::size_t>& round) {
      return std::all_of(round.begin(), round.end(), [&](std::size_t other) {
        return updates[u].end <= updates[other].begin || updates[other].end <= updates[u].begin;
      });
    };
    const auto found = std::find_if(rounds.begin(), rounds.end(), is_apart);
    (found == rounds.end() ? rounds.emplace_back() : *found).push_back(u);
  }
  return rounds;
}

}  // namespace

void device_low_rank_forward(const KernelTable& kernels, const Updates& updates,
                             const at::Tensor& x, const at::Tensor& y,
                             std::vector<at::Tensor>& saved) {
  TORCH_INTERNAL_ASSERT(x.stride(1) == 1 && y.stride(1) == 1);
  std::vector<LowRankGroup> groups;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    saved[u] = empty_narrow(updates[u], x);
    groups.push_back(group_of(updates[u]));
    groups.back().narrow = saved[u].mutable_data_ptr();
  }
  const Launch launch = launch_of(groups, x, x.size(1));
  kernels.low_rank_forward({.of = launch.of,
                            .x = x.const_data_ptr(),
                            .y = y.mutable_data_ptr(),
                            .x_stride = x.stride(0),
                            .y_stride = y.stride(0)},
                           stream_of(x));
}

void device_low_rank_backward(const KernelTable& kernels, const Updates& updates,
                              const std::vector<at::Tensor>& saved, const at::Tensor& grad_y,
                              LowRankBackward& result) {
  TORCH_INTERNAL_ASSERT(grad_y.stride(1) == 1);
  result.grad_b.resize(updates.size());
  result.grad_narrow.resize(updates.size());
  const bool forms_grad_x = result.grad_x.defined();
  for (const std::vector<std::size_t>& round : rounds_of(updates)) {
    std::vector<LowRankGroup> groups;
    for (const std::size_t u : round) {
      LowRankGroup group = group_of(updates[u]);
      group.narrow = saved[u].mutable_data_ptr();
      result.grad_narrow[u] = empty_narrow(updates[u], grad_y);
      group.grad_narrow = result.grad_narrow[u].mutable_data_ptr();
      if (updates[u].b.requires_grad()) {
        result.grad_b[u] = at::empty_like(updates[u].b, at::MemoryFormat::Contiguous);
        group.grad_b = result.grad_b[u].mutable_data_ptr();
      }
      groups.push_back(group);
    }
    const Launch launch = launch_of(groups, grad_y, updates[round[0]].a.size(1));
    kernels.low_rank_backward({.of = launch.of,
                               .grad_y = grad_y.const_data_ptr(),
                               .grad_x = forms_grad_x ? result.grad_x.mutable_data_ptr() : nullptr,
                               .grad_y_stride = grad_y.stride(0),
                               .grad_x_stride = forms_grad_x ? result.grad_x.stride(0) : 0},
                              stream_of(grad_y));
  }
}

std::vector<at::Tensor> device_low_rank_grad_a(const KernelTable& kernels, const Updates& updates,
                                               const at::Tensor& x,
                                               const std::vector<at::Tensor>& grad_narrow) {
  TORCH_INTERNAL_ASSERT(x.stride(1) == 1);
  std::vector<at::Tensor> grads(updates.size());
  std::vector<LowRankGroup> groups;
  for (std::size_t u = 0; u < updates.size(); ++u) {
    if (updates[u].a.requires_grad()) {
      grads[u] = at::empty_like(updates[u].a, at::MemoryFormat::Contiguous);
      groups.push_back(group_of(updates[u]));
      groups.back().grad_narrow = grad_narrow[u].mutable_data_ptr();
      groups.back().grad_a = grads[u].mutable_data_ptr();
    }
  }
  if (groups.empty()) {
    return grads;
  }
  Launch launch = launch_of(groups, x, x.size(1));
  launch.of.max_rows = launch.of.max_out = 0;  // grad_narrow is there already
  kernels.low_rank_backward({.of = launch.of, .x = x.const_data_ptr(), .x_stride = x.stride(0)},
                            stream_of(x));
  return grads;
}

}  // namespace plumb
