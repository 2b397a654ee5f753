// Shapes of the linears that an adapter touches (targets.h), and their rows in files; shared by
// making and by PEFT files.
#pragma once
#include "core/model/adapter.h"
#include "lora/targets.h"

namespace plumb {

// Throws an Error that names the linear, the shapes this base needs and those received.
void check_adapter_shape(int64_t layer, const LinearSite& site, const LowRank& pair);

// B's rows (O, R), from memory's order to that of files and back.
at::Tensor in_file_order(const LinearSite& site, const at::Tensor& b);
at::Tensor in_memory_order(const LinearSite& site, const at::Tensor& b);

}  // namespace plumb
