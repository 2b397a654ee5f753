// The global norm of gradients, and AdamW with f32 and with 8-bit state.
#include <cmath>
#include <cstring>

#include "bench/kernels/kernel_case.h"
#include "core/ops/dynamic_map.h"

namespace plumb::kernels {
namespace {

// LoRA's parameters of Llama 3 8B at rank 16.
constexpr int64_t kModelValues = 40 << 20;

KernelCase case_of(const std::string& kernel, int64_t count, at::ScalarType grads) {
  return {.kernel = kernel,
          .shape = std::to_string(count) + " values",
          .dtype = grads,
          .growth = static_cast<double>(kModelValues) / static_cast<double>(count),
          .predicted_for = "41.9 M values"};
}

KernelCase grad_norm(int64_t count, at::ScalarType dtype) {
  KernelCase one = case_of("grad_norm", count, dtype);
  one.inputs = {normal({count}, dtype, 33)};
  one.floor = bytes_of(one.inputs) + sizeof(GradientClip);
  one.aten = [](const Tensors& in) -> Tensors {
    return {at::linalg_vector_norm(widened(in[0])).view({1})};
  };
  one.prepare = [count](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    // A GradientClip begins with its norm.
    const at::Tensor clip = place.empty({sizeof(GradientClip) / sizeof(double)}, at::kDouble),
                     partial = place.empty({grad_norm_partials(count)}, at::kDouble);
    const GradNorm op{.clip = reinterpret_cast<GradientClip*>(clip.data_ptr()),
                      .partial = partial.data_ptr<double>(),
                      .grads = in[0].data_ptr(),
                      .count = count,
                      .max_norm = 1.0,
                      .dtype = kernel_dtype_of(in[0])};
    return {[&table, op, partial] { table.grad_norm(op, nullptr); }, {clip.slice(0, 0, 1)}};
  };
  return one;
}

constexpr double kLr = 1e-3, kDecay = 0.1;
constexpr int64_t kUpdate = 7;

// in: weight, exp_avg, exp_avg_sq, grad; gives the updated first three.
Tensors stepped(const at::Tensor& weight, const at::Tensor& average, const at::Tensor& square,
                const at::Tensor& grad) {
  Tensors state{weight.clone(), average.clone(), square.clone()};
  const at::Tensor gradient = grad.to(state[0].scalar_type());
  Tensors weights{state[0]}, averages{state[1]}, squares{state[2]}, grads{gradient},
      steps{at::full({}, kUpdate, weight.options().dtype(at::kFloat))};
  at::_fused_adamw_(weights, grads, averages, squares, {}, steps, kLr, 0.9, 0.999, kDecay, 1e-8,
                    false, false);
  return state;
}

struct Kind {
  const char* name;
  AdamWWeights weights;
};
constexpr Kind kKinds[] = {{"f32", AdamWWeights::f32},
                           {"bf16 + master", AdamWWeights::bf16_with_master},
                           {"bf16 by chance", AdamWWeights::bf16_rounded_by_chance}};

// A structure on the device.
template <class T>
at::Tensor placed(const Place& place, const std::vector<T>& values) {
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
  return place.put(
      at::from_blob(const_cast<T*>(values.data()), {bytes}, at::dtype(at::kByte)).clone());
}

struct Launch {
  AdamWUpdate update;
  Tensors kept;
};

Launch launch_of(const AdamWTensor& tensor, int64_t chunk, const Kind& kind, const at::Tensor& grad,
                 const Place& place) {
  const AdamWPlan plan = adamw_plan({tensor}, chunk);
  Launch made;
  made.kept = {placed(place, plan.tensors), place.put(longs(plan.first_chunk))};
  made.update = {.tensors = reinterpret_cast<const AdamWTensor*>(made.kept[0].data_ptr()),
                 .first_chunk = made.kept[1].data_ptr<int64_t>(),
                 .num_tensors = 1,
                 .chunks = plan.first_chunk.back(),
                 .lr = kLr,
                 .updates = kUpdate,
                 .seed = 3,
                 .weights = kind.weights,
                 .grad_dtype = kernel_dtype_of(grad)};
  return made;
}

// Weights of the case: in[0] f32 masters or bf16 alone; the bf16 copy of masters comes from
// `place`.
void put_weights(AdamWTensor& tensor, const Kind& kind, const Tensors& in, const Place& place,
                 Tensors& outputs) {
  outputs.push_back(in[0]);
  tensor.weight = in[0].data_ptr();
  if (kind.weights == AdamWWeights::bf16_with_master) {
    outputs.push_back(place.empty(in[0].sizes(), at::kBFloat16));
    tensor.master = in[0].data_ptr<float>();
    tensor.weight = outputs.back().data_ptr();
  }
}

double weight_bytes(const Kind& kind) {
  return kind.weights == AdamWWeights::f32                ? 8
         : kind.weights == AdamWWeights::bf16_with_master ? 10
                                                          : 4;
}
at::ScalarType kept_dtype(const Kind& kind) {
  return kind.weights == AdamWWeights::bf16_rounded_by_chance ? at::kBFloat16 : at::kFloat;
}

// ATen's outputs in the order of put_weights: bf16 weights are rounded to nearest.
Tensors kept_weights(const Kind& kind, const at::Tensor& weight, bool is_reference) {
  const auto bf16 = [&] { return is_reference ? weight : weight.to(at::kBFloat16); };
  switch (kind.weights) {
    case AdamWWeights::f32:
      return {weight};
    case AdamWWeights::bf16_with_master:
      return {weight, bf16()};
    case AdamWWeights::bf16_rounded_by_chance:
      return {bf16()};
  }
  return {};
}

KernelCase adamw(int64_t count, at::ScalarType grads, const Kind& kind) {
  KernelCase one = case_of(std::string("adamw ") + kind.name, count, grads);
  one.inputs = {normal({count}, kept_dtype(kind), 70), normal({count}, at::kFloat, 71, 0.01),
                normal({count}, at::kFloat, 72, 0.01).square() + 1e-5,
                normal({count}, grads, 73, 0.05)};
  one.floor = static_cast<double>(count) * (weight_bytes(kind) + 16) + bytes_of(one.inputs[3]);
  one.aten = [kind](const Tensors& in) {
    const bool is_reference = in[1].scalar_type() == at::kDouble;
    const Tensors state = stepped(widened(in[0]), in[1], in[2], in[3]);
    Tensors all = kept_weights(kind, state[0], is_reference);
    all.insert(all.end(), {state[1], state[2]});
    return all;
  };
  one.prepare = [count, kind](const KernelTable& table, const Tensors& in,
                              const Place& place) -> Prepared {
    AdamWTensor tensor{.exp_avg = in[1].data_ptr(),
                       .exp_avg_sq = in[2].data_ptr(),
                       .grad = in[3].data_ptr(),
                       .count = count,
                       .weight_decay = kDecay,
                       .id = 2};
    Tensors outputs;
    put_weights(tensor, kind, in, place, outputs);
    outputs.insert(outputs.end(), {in[1], in[2]});
    const Launch launch = launch_of(tensor, kAdamWChunk, kind, in[3], place);
    return {[&table, launch] { table.adamw(launch.update, nullptr); }, outputs};
  };
  return one;
}

at::Tensor both_maps() {
  const auto averages = dynamic_map(true), squares = dynamic_map(false);
  return at::cat({at::tensor(at::ArrayRef<float>(averages.data(), 256), at::dtype(at::kFloat)),
                  at::tensor(at::ArrayRef<float>(squares.data(), 256), at::dtype(at::kFloat))});
}

// Codes of normal values' blocks, as an optimizer that has run leaves them, and their scales.
Tensors codes_of(const at::Tensor& values, const at::Tensor& map) {
  const at::Tensor blocks = values.view({-1, kAdamW8Block});
  const at::Tensor absmax = blocks.abs().amax(-1);
  const at::Tensor middles = (map.slice(0, 1) + map.slice(0, 0, -1)) / 2;
  return {at::bucketize(blocks / absmax.unsqueeze(-1), middles).view({-1}).to(at::kByte), absmax};
}

at::Tensor decoded(const at::Tensor& codes, const at::Tensor& absmax, const at::Tensor& map) {
  return map.index_select(0, codes.to(at::kLong)) * absmax.repeat_interleave(kAdamW8Block);
}

// Weights and the new scales are compared: codes are bitsandbytes', which tests compare by the bit.
KernelCase adamw8(int64_t count, at::ScalarType grads, const Kind& kind) {
  KernelCase one = case_of(std::string("adamw8 ") + kind.name, count, grads);
  const at::Tensor maps = both_maps();
  const Tensors averages = codes_of(normal({count}, at::kFloat, 71, 0.01), maps.slice(0, 0, 256));
  const Tensors squares =
      codes_of(normal({count}, at::kFloat, 72, 0.01).square() + 1e-5, maps.slice(0, 256));
  one.inputs = {normal({count}, kept_dtype(kind), 70),
                averages[0],
                squares[0],
                normal({count}, grads, 73, 0.05),
                averages[1],
                squares[1],
                maps};
  one.floor = static_cast<double>(count) * (weight_bytes(kind) + 4) + bytes_of(one.inputs[3]) +
              4 * bytes_of(averages[1]) + bytes_of(maps);
  one.aten = [kind](const Tensors& in) {
    const bool is_reference = in[4].scalar_type() == at::kDouble;
    const Tensors state = stepped(widened(in[0]), decoded(in[1], in[4], in[6].slice(0, 0, 256)),
                                  decoded(in[2], in[5], in[6].slice(0, 256)), in[3]);
    Tensors all = kept_weights(kind, state[0], is_reference);
    all.push_back(state[1].view({-1, kAdamW8Block}).abs().amax(-1));
    all.push_back(state[2].view({-1, kAdamW8Block}).amax(-1));
    return all;
  };
  one.prepare = [count, kind](const KernelTable& table, const Tensors& in,
                              const Place& place) -> Prepared {
    AdamWTensor tensor{.exp_avg = in[1].data_ptr(),
                       .exp_avg_sq = in[2].data_ptr(),
                       .absmax_avg = in[4].data_ptr<float>(),
                       .absmax_sq = in[5].data_ptr<float>(),
                       .grad = in[3].data_ptr(),
                       .count = count,
                       .weight_decay = kDecay,
                       .id = 2};
    Tensors outputs;
    put_weights(tensor, kind, in, place, outputs);
    outputs.insert(outputs.end(), {in[4], in[5]});
    Launch launch = launch_of(tensor, kAdamW8Chunk, kind, in[3], place);
    launch.update.dynamic_maps = in[6].data_ptr<float>();
    return {[&table, launch] { table.adamw8(launch.update, nullptr); }, outputs};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> optimizer_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType grads : kDtypes) {
    const bool is_model = size == Size::model;
    for (const int64_t count : {is_model ? kModelValues : 65536, int64_t{20003}}) {
      cases.push_back(grad_norm(count, grads));
      for (const Kind& kind : kKinds) {
        cases.push_back(adamw(count, grads, kind));
      }
    }
    for (const Kind& kind : kKinds) {
      cases.push_back(adamw8(is_model ? kModelValues : 32768, grads, kind));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
