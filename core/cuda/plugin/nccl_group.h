// c10d's NCCL backend. Its headers need NVIDIA's nccl.h, which is not always there.
#pragma once
#include "core/cuda/plugin.h"

namespace plumb {

// CudaPlugin::connect_nccl; null where this was built without nccl.h.
decltype(CudaPlugin::connect_nccl) nccl_connector();

}  // namespace plumb
