#include "core/ops/embedding.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/ops/backend.h"
#include "core/ops/embedding_device.h"
#include "core/ops/once.h"

namespace plumb {
namespace {

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& table,
                            const at::Tensor& ids) {
    ctx->save_for_backward({ids});
    ctx->saved_data["rows"] = table.size(0);
    return device_embedding(*kernels_for(table), table, ids);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_double_backward("embedding");
    const at::Tensor grad = grads[0].contiguous();
    return {device_embedding_backward(*kernels_for(grad), grad, ctx->get_saved_variables()[0],
                                      ctx->saved_data["rows"].toInt()),
            {}};
  }
};

}  // namespace

at::Tensor embed(const at::Tensor& table, const at::Tensor& ids) {
  return kernels_for(table) == nullptr ? at::embedding(table, ids)
                                       : EmbeddingFunction::apply(table, ids);
}

}  // namespace plumb
