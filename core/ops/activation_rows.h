// The activations and their slopes, a value at a time, and the rows they are swept over. Shared by
// training (core/ops/activation.cpp) and decoding (core/ops/decode_rows.cpp).
#pragma once
#include <cstdint>
#include <numbers>

#include "core/io/model_config.h"
#include "core/ops/vector_erf.h"
#include "core/ops/vector_exp.h"

namespace plumb {

template <class T>
struct Activated {
  T value;
  T slope;
};

// z / (1 + exp(-z))
struct Silu {
  template <class T>
  static T value(T z) {
    return z / (T{1} + vector_exp(-z));
  }
  template <class T>
  static Activated<T> with_slope(T z) {
    const T sigmoid = T{1} / (T{1} + vector_exp(-z));
    const T silu = z * sigmoid;
    return {silu, sigmoid + silu * (T{1} - sigmoid)};
  }
};

// z P(Z <= z) of a standard normal Z (Hendrycks & Gimpel 2016).
struct Gelu {
  template <class T>
  static T below(T z) {
    constexpr T kSqrtHalf = std::numbers::sqrt2_v<T> / T{2};
    return T{0.5} * (T{1} + vector_erf(z * kSqrtHalf));
  }
  template <class T>
  static T value(T z) {
    return z * below(z);
  }
  template <class T>
  static Activated<T> with_slope(T z) {
    constexpr T kDensityAtZero = std::numbers::inv_sqrtpi_v<T> * std::numbers::sqrt2_v<T> / T{2};
    const T p = below(z);
    return {z * p, p + z * kDensityAtZero * vector_exp(T{-0.5} * z * z)};
  }
};

// The same paper's approximation: z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2.
struct GeluTanh {
  static constexpr double kCubic = 0.044715;
  static constexpr double kSqrtTwoOverPi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;

  template <class T>
  static T bent(T z) {
    return vector_tanh(static_cast<T>(kSqrtTwoOverPi) * (z + static_cast<T>(kCubic) * z * z * z));
  }
  template <class T>
  static T value(T z) {
    return T{0.5} * z * (T{1} + bent(z));
  }
  template <class T>
  static Activated<T> with_slope(T z) {
    const T t = bent(z);
    const T inner = static_cast<T>(kSqrtTwoOverPi) * (T{1} + static_cast<T>(3 * kCubic) * z * z);
    return {T{0.5} * z * (T{1} + t), T{0.5} * (T{1} + t) + T{0.5} * z * (T{1} - t * t) * inner};
  }
};

struct Relu {
  template <class T>
  static T value(T z) {
    return z > T{0} ? z : T{0};
  }
  template <class T>
  static Activated<T> with_slope(T z) {
    return {z > T{0} ? z : T{0}, z > T{0} ? T{1} : T{0}};
  }
};

// body(Silu{}) or its like.
template <class Body>
auto with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::gelu:
      return body(Gelu{});
    case Activation::gelu_tanh:
      return body(GeluTanh{});
    case Activation::relu:
      return body(Relu{});
    default:
      return body(Silu{});
  }
}

// h = act(gate) * up
template <class Act, class T>
void gated_row(T* h, const T* gate, const T* up, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    h[i] = Act::value(gate[i]) * up[i];
  }
}

// h = act(up)
template <class Act, class T>
void plain_row(T* h, const T* up, int64_t width) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    h[i] = Act::value(up[i]);
  }
}

}  // namespace plumb
