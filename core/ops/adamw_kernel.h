// AdamW on the GPU (Loshchilov & Hutter 2019, algorithm 2; core/train/optimizer.h): one launch
// updates all tensors of a step. Two forms of state: f32, and 8 bits in blocks of 256 with
// bitsandbytes' codes and layout (Dettmers et al. 2022; core/ops/dynamic_map.h). Weights are f32;
// or bf16 with f32 masters; or bf16 alone, rounded up or down by chance, so that updates below half
// a step of bf16 are not lost on average. All arithmetic is f32.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ops/cuda/kernel_types.h"
#include "core/ops/grad_norm_kernel.h"

namespace plumb {

enum class AdamWWeights : int32_t { f32, bf16_with_master, bf16_rounded_by_chance };

// One tensor, dense; every array begins at a multiple of 16 bytes.
struct AdamWTensor {
  void* weight = nullptr;       // f32 or bf16
  float* master = nullptr;      // with bf16_with_master: what is updated; weight becomes its bf16
  void* exp_avg = nullptr;      // f32, or uint8 codes
  void* exp_avg_sq = nullptr;   // f32, or uint8 codes
  float* absmax_avg = nullptr;  // 8 bits: (ceil(count / 256)), what code 1.0 of a block stands for
  float* absmax_sq = nullptr;   // 8 bits: (ceil(count / 256))
  const void* grad = nullptr;   // f32 or bf16
  int64_t count = 0;
  double weight_decay = 0;  // 0 for norms and biases
  uint64_t id = 0;          // of the tensor, for rounding by chance
};

// Tensors as a launch takes them: block b of the grid works on the chunk b - first_chunk[t] of
// tensor t, the last whose first_chunk is <= b.
struct AdamWPlan {
  std::vector<AdamWTensor> tensors;
  std::vector<int64_t> first_chunk;  // (tensors + 1)
};
inline constexpr int64_t kAdamWChunk = 4096, kAdamW8Chunk = 2048, kAdamW8Block = 256;

// Tensors without values are left out. Throws Error for an array that is not aligned.
inline AdamWPlan adamw_plan(const std::vector<AdamWTensor>& tensors, int64_t chunk) {
  AdamWPlan plan;
  plan.first_chunk.push_back(0);
  for (size_t t = 0; t < tensors.size(); ++t) {
    const AdamWTensor& tensor = tensors[t];
    for (const void* array :
         {static_cast<const void*>(tensor.weight), static_cast<const void*>(tensor.master),
          static_cast<const void*>(tensor.exp_avg), static_cast<const void*>(tensor.exp_avg_sq),
          tensor.grad}) {
      if (reinterpret_cast<uintptr_t>(array) % 16 != 0) {
        throw Error("adamw: an array of tensor " + std::to_string(t) +
                    " does not begin at a multiple of 16 bytes; copy it to where it does");
      }
    }
    if (tensor.count > 0) {
      plan.tensors.push_back(tensor);
      plan.first_chunk.push_back(plan.first_chunk.back() + (tensor.count + chunk - 1) / chunk);
    }
  }
  return plan;
}

struct AdamWUpdate {
  const AdamWTensor* tensors = nullptr;  // AdamWPlan's, on the device
  const int64_t* first_chunk = nullptr;  // AdamWPlan's, on the device
  int64_t num_tensors = 0, chunks = 0;   // chunks: first_chunk.back()
  const GradientClip* clip = nullptr;    // on the device, or null: gradients as they are
  const float* dynamic_maps = nullptr;   // 8 bits: dynamic_map(true), then (false): (512)
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  int64_t updates = 1;  // this one included
  uint64_t seed = 0;    // of rounding by chance
  AdamWWeights weights = AdamWWeights::f32;
  KernelDtype grad_dtype = KernelDtype::f32;
};

// weight -= lr (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + decay weight). With a clip
// that is not finite nothing is written.
void launch_adamw(const AdamWUpdate& update, KernelStream stream);   // chunks of kAdamWChunk
void launch_adamw8(const AdamWUpdate& update, KernelStream stream);  // chunks of kAdamW8Chunk

}  // namespace plumb
