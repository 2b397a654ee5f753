// Rotary position embedding by kernels (core/ops/rope_kernel.h).
#pragma once
#include "core/ops/backend.h"
#include "core/ops/rope.h"

namespace plumb {

struct DeviceTurn {
  const at::Tensor& rows;  // (N) int64, rows of the table
  const RotaryTable& table;
  Turn turn;
};
void device_rotate_(const KernelTable& kernels, const at::Tensor& x, const DeviceTurn& by);

}  // namespace plumb
