#include "core/ops/activation_kernel.h"
#include "core/ops/cuda/dispatch.cuh"

namespace plumb {
namespace {

constexpr int kThreads = 256;

struct Activated {
  float value, slope;
};

// z / (1 + e^-z)
struct Silu {
  static __device__ __forceinline__ Activated at(float z) {
    const float sigmoid = 1.0f / (1.0f + expf(-z));
    const float value = z * sigmoid;
    return {value, sigmoid + value * (1.0f - sigmoid)};
  }
};

// z P(Z <= z) of a standard normal Z (Hendrycks & Gimpel 2016).
struct Gelu {
  static __device__ __forceinline__ Activated at(float z) {
    constexpr float kSqrtHalf = 0.70710678118654752f, kDensityAtZero = 0.39894228040143268f;
    const float below = 0.5f * erfcf(-z * kSqrtHalf);
    return {z * below, below + z * kDensityAtZero * expf(-0.5f * z * z)};
  }
};

// The same paper's z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2.
struct GeluTanh {
  static __device__ __forceinline__ Activated at(float z) {
    constexpr float kScale = 0.79788456080286536f, kCubic = 0.044715f;
    const float bent = tanhf(kScale * (z + kCubic * z * z * z));
    const float inner = kScale * (1.0f + 3.0f * kCubic * z * z);
    return {0.5f * z * (1.0f + bent),
            0.5f * (1.0f + bent) + 0.5f * z * (1.0f - bent * bent) * inner};
  }
};

struct Relu {
  static __device__ __forceinline__ Activated at(float z) {
    return {z > 0.0f ? z : 0.0f, z > 0.0f ? 1.0f : 0.0f};
  }
};

// Threads (x, y): x walks a row by packs, y is a row of the block.
template <class T, int kPack, class Act>
__global__ void __launch_bounds__(kThreads) activation_forward_kernel(ActivationForward op) {
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= op.rows) {
    return;
  }
  const int width = static_cast<int>(op.width);
  const T* const gate = static_cast<const T*>(op.gate_up) + row * width * (op.is_gated ? 2 : 1);
  T* const h = static_cast<T*>(op.h) + row * width;
  for (int at = threadIdx.x * kPack; at < width; at += blockDim.x * kPack) {
    Pack<T, kPack> out = load_pack<T, kPack>(gate + at);
    Pack<T, kPack> up = op.is_gated ? load_pack<T, kPack>(gate + width + at) : out;
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      const float value = Act::at(to_float(out.values[v])).value;
      out.values[v] =
          from_float<T>(op.is_gated ? rounded<T>(value) * to_float(up.values[v]) : value);
    }
    store_pack(h + at, out);
  }
}

template <class T, int kPack, class Act>
__global__ void __launch_bounds__(kThreads) activation_backward_kernel(ActivationBackward op) {
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (row >= op.rows) {
    return;
  }
  const int width = static_cast<int>(op.width);
  T* const gate_row = static_cast<T*>(op.gate_up) + row * width * (op.is_gated ? 2 : 1);
  T* const grad_row = static_cast<T*>(op.grad_h) + row * width;
  for (int at = threadIdx.x * kPack; at < width; at += blockDim.x * kPack) {
    Pack<T, kPack> gate = load_pack<T, kPack>(gate_row + at);
    Pack<T, kPack> grad = load_pack<T, kPack>(grad_row + at);
    Pack<T, kPack> up = op.is_gated ? load_pack<T, kPack>(gate_row + width + at) : gate;
#pragma unroll
    for (int v = 0; v < kPack; ++v) {
      const Activated act = Act::at(to_float(gate.values[v]));
      const float value = rounded<T>(act.value), g = to_float(grad.values[v]);
      const float u = op.is_gated ? to_float(up.values[v]) : 1.0f;
      up.values[v] = from_float<T>(g * value);
      gate.values[v] = from_float<T>(rounded<T>(g * u) * act.slope);
      grad.values[v] = from_float<T>(value * u);
    }
    if (op.is_gated) {
      store_pack(gate_row + width + at, up);
    }
    store_pack(gate_row + at, gate);
    store_pack(grad_row + at, grad);
  }
}

// Wide rows take a block each, narrow ones share it.
LaunchShape shape_of(int64_t rows, int64_t packs) {
  unsigned x = kThreads;
  while (x > 1 && x / 2 >= static_cast<uint64_t>(packs)) {
    x /= 2;
  }
  const unsigned y = kThreads / x;
  return {dim3(static_cast<unsigned>((rows + y - 1) / y)), dim3(x, y), 0};
}

template <class Body>
void with_activation(KernelActivation activation, const Body& body) {
  switch (activation) {
    case KernelActivation::silu:
      return body(Silu{});
    case KernelActivation::gelu:
      return body(Gelu{});
    case KernelActivation::gelu_tanh:
      return body(GeluTanh{});
    case KernelActivation::relu:
      return body(Relu{});
  }
}

template <class Op, class Body>
void with_elements(const Op& op, const void* first, const void* second, const Body& body) {
  with_dtype(op.dtype, [&](auto type) {
    using T = decltype(type);
    with_activation(op.activation, [&](auto act) {
      if (is_vectorizable<T>(first, op.width) && is_vectorizable<T>(second, op.width)) {
        body(type, Constant<kVectorOf<T>>{}, act);
      } else {
        body(type, Constant<1>{}, act);
      }
    });
  });
}

}  // namespace

void launch_activation_forward(const ActivationForward& op, KernelStream stream) {
  if (op.rows == 0 || op.width == 0) {
    return;
  }
  with_elements(op, op.h, op.gate_up, [&](auto type, auto pack, auto act) {
    constexpr int kPack = decltype(pack)::value;
    PLUMB_LAUNCH((activation_forward_kernel<decltype(type), kPack, decltype(act)>),
                 shape_of(op.rows, (op.width + kPack - 1) / kPack), stream, op);
  });
}

void launch_activation_backward(const ActivationBackward& op, KernelStream stream) {
  if (op.rows == 0 || op.width == 0) {
    return;
  }
  with_elements(op, op.gate_up, op.grad_h, [&](auto type, auto pack, auto act) {
    constexpr int kPack = decltype(pack)::value;
    PLUMB_LAUNCH((activation_backward_kernel<decltype(type), kPack, decltype(act)>),
                 shape_of(op.rows, (op.width + kPack - 1) / kPack), stream, op);
  });
}

}  // namespace plumb
