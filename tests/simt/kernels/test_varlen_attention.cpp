// Packed attention against attention written out in float64 (Vaswani et al. 2017, eq. 1), its
// gradients against central differences of that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/ops/varlen_attention_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  int64_t heads, kv_heads, head_dim;
  std::vector<int64_t> queries, keys;  // of each sequence
  bool is_causal = true;
  int64_t window = 0;
  double softcap = 0;
  bool has_bias = false;
  int64_t gap = 0;  // values between rows of q, k and v

  std::vector<int64_t> offsets(const std::vector<int64_t>& lengths) const {
    std::vector<int64_t> cu(lengths.size() + 1);
    std::partial_sum(lengths.begin(), lengths.end(), cu.begin() + 1);
    return cu;
  }
  int64_t rows() const { return std::accumulate(queries.begin(), queries.end(), int64_t{0}); }
  int64_t key_rows() const { return std::accumulate(keys.begin(), keys.end(), int64_t{0}); }
  int64_t q_stride() const { return heads * head_dim + gap; }
  int64_t k_stride() const { return kv_heads * head_dim + gap; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_dim)); }
  int64_t max_keys() const { return *std::max_element(keys.begin(), keys.end()); }
};

struct Arrays {
  std::vector<double> q, k, v, grad;  // strided as the case says; grad dense
  std::vector<float> bias;            // (H, max_keys)
};

template <class T>
std::vector<double> drawn(int64_t count, uint64_t seed) {
  std::vector<double> result;
  for (const T value : normal_values<T>(count, seed)) {
    result.push_back(value_of(value));
  }
  return result;
}

template <class T>
Arrays arrays_of(const Case& test) {
  Arrays in{drawn<T>(test.rows() * test.q_stride(), 180),
            drawn<T>(test.key_rows() * test.k_stride(), 181),
            drawn<T>(test.key_rows() * test.k_stride(), 182),
            drawn<T>(test.rows() * test.heads * test.head_dim, 183),
            {}};
  for (int64_t h = 0; h < test.heads; ++h) {
    for (int64_t key = 0; key < test.max_keys(); ++key) {
      in.bias.push_back(std::exp2f(-static_cast<float>(h + 2)) * static_cast<float>(key));
    }
  }
  return in;
}

struct Query {
  std::vector<double> out;
  double log_sum_exp = -INFINITY;
};

// One query of one head; q at row `i` of sequence `b`.
Query attend(const Case& test, const Arrays& in, size_t b, int64_t i, int64_t head) {
  const int64_t dim = test.head_dim, shift = test.is_causal ? test.keys[b] - test.queries[b] : 0;
  const int64_t q_at = (test.offsets(test.queries)[b] + i) * test.q_stride() + head * dim;
  const int64_t k_at =
      test.offsets(test.keys)[b] * test.k_stride() + head / (test.heads / test.kv_heads) * dim;
  Query result{std::vector<double>(dim)};
  std::vector<double> scores(test.keys[b], -INFINITY);
  double sum = 0;
  for (int64_t key = 0; key < test.keys[b]; ++key) {
    const bool is_hidden =
        test.is_causal && (key > i + shift || (test.window > 0 && i + shift - key >= test.window));
    double score = 0;
    for (int64_t d = 0; d < dim; ++d) {
      score += in.q[q_at + d] * in.k[k_at + key * test.k_stride() + d];
    }
    score *= test.scale();
    score = test.softcap > 0 ? test.softcap * std::tanh(score / test.softcap) : score;
    score += test.has_bias ? in.bias[head * test.max_keys() + key] : 0.0;
    scores[key] = is_hidden ? -INFINITY : score;
    sum += std::exp(scores[key]);
  }
  for (int64_t key = 0; key < test.keys[b] && sum > 0; ++key) {
    for (int64_t d = 0; d < dim; ++d) {
      result.out[d] += std::exp(scores[key]) / sum * in.v[k_at + key * test.k_stride() + d];
    }
  }
  result.log_sum_exp = std::log(sum);
  return result;
}

// visit(sequence, query, head, row) for all.
template <class Visit>
void for_queries(const Case& test, const Visit& visit) {
  for (size_t b = 0; b < test.queries.size(); ++b) {
    for (int64_t i = 0; i < test.queries[b]; ++i) {
      for (int64_t head = 0; head < test.heads; ++head) {
        visit(b, i, head, test.offsets(test.queries)[b] + i);
      }
    }
  }
}

// sum of out times grad over a sequence.
double objective(const Case& test, const Arrays& in, size_t sequence) {
  double sum = 0;
  for_queries(test, [&](size_t b, int64_t i, int64_t head, int64_t row) {
    if (b == sequence) {
      const Query query = attend(test, in, b, i, head);
      for (int64_t d = 0; d < test.head_dim; ++d) {
        sum += query.out[d] * in.grad[(row * test.heads + head) * test.head_dim + d];
      }
    }
  });
  return sum;
}

template <class T>
std::vector<T> cast(const std::vector<double>& values) {
  std::vector<T> result;
  for (const double value : values) {
    result.push_back(as<T>(value));
  }
  return result;
}

template <class T>
struct Device {
  Device(const Case& test, const Arrays& in)
      : q(cast<T>(in.q), "q"),
        k(cast<T>(in.k), "k"),
        v(cast<T>(in.v), "v"),
        cu_queries(test.offsets(test.queries), "cu_queries"),
        cu_keys(test.offsets(test.keys), "cu_keys"),
        bias(in.bias, "key_bias"),
        out(test.rows() * test.heads * test.head_dim, "out"),
        log_sum_exp(test.heads * test.rows(), "log_sum_exp"),
        inputs{.q = q.data(),
               .k = k.data(),
               .v = v.data(),
               .cu_queries = cu_queries.data(),
               .cu_keys = cu_keys.data(),
               .key_bias = test.has_bias ? bias.data() : nullptr,
               .rows = test.rows(),
               .sequences = static_cast<int64_t>(test.queries.size()),
               .max_queries = *std::max_element(test.queries.begin(), test.queries.end()),
               .max_keys = test.max_keys(),
               .heads = test.heads,
               .kv_heads = test.kv_heads,
               .head_dim = test.head_dim,
               .q_stride = test.q_stride(),
               .k_stride = test.k_stride(),
               .v_stride = test.k_stride(),
               .bias_stride = test.max_keys(),
               .scale = static_cast<float>(test.scale()),
               .softcap = static_cast<float>(test.softcap),
               .window = test.window,
               .is_causal = test.is_causal,
               .dtype = dtype_of<T>} {}
  DeviceBuffer<T> q, k, v;
  DeviceBuffer<int64_t> cu_queries, cu_keys;
  DeviceBuffer<float> bias;
  DeviceBuffer<T> out;
  DeviceBuffer<float> log_sum_exp;
  VarlenInputs inputs;
};

constexpr double kNothing = -1e30;  // stands for the log of no sum, which is not comparable

template <class T>
Outcome run_forward(const Case& test) {
  const Arrays in = arrays_of<T>(test);
  std::vector<double> out(test.rows() * test.heads * test.head_dim),
      log_sum_exp(test.heads * test.rows());
  for_queries(test, [&](size_t b, int64_t i, int64_t head, int64_t row) {
    const Query query = attend(test, in, b, i, head);
    std::copy(query.out.begin(), query.out.end(),
              out.begin() + (row * test.heads + head) * test.head_dim);
    log_sum_exp[head * test.rows() + row] = std::max(query.log_sum_exp, kNothing);
  });
  return run([&] {
    Device<T> device(test, in);
    launch_varlen_forward(
        {.in = device.inputs, .out = device.out.data(), .log_sum_exp = device.log_sum_exp.data()},
        nullptr);
    EXPECT_TRUE(all_near(device.out.host(), out, 1.01 * kRounding<T>, 3e-6));
    std::vector<float> sums = device.log_sum_exp.host();
    for (float& sum : sums) {
      sum = std::max(sum, static_cast<float>(kNothing));
    }
    EXPECT_TRUE(all_near(sums, log_sum_exp, 1e-6, 3e-6));
  });
}

constexpr double kStep = 1e-4;

// Each `every`-th element of a gradient, whose row belongs to a sequence.
template <class T>
void expect_slopes(const Case& test, Arrays& in, std::vector<double>& values,
                   const std::vector<T>& got, const std::vector<int64_t>& lengths, int64_t stride) {
  const std::vector<int64_t> cu = test.offsets(lengths);
  const size_t every = std::max<size_t>(1, values.size() / 40);
  for (size_t i = 0; i < values.size(); i += every) {
    const int64_t row = static_cast<int64_t>(i) / stride;
    if (static_cast<int64_t>(i) % stride >= stride - test.gap) {
      continue;
    }
    const auto b =
        static_cast<size_t>(std::upper_bound(cu.begin(), cu.end(), row) - cu.begin() - 1);
    const double kept = values[i];
    values[i] = kept + kStep;
    const double up = objective(test, in, b);
    values[i] = kept - kStep;
    const double down = objective(test, in, b);
    values[i] = kept;
    const double want = (up - down) / (2 * kStep);
    // In bf16 the saved output is rounded, and delta with it.
    const double slack = sizeof(T) == 2 ? 0.02 : 1e-5;
    EXPECT_NEAR(value_of(got[i]), want, 1.01 * kRounding<T> * std::abs(want) + slack) << i;
  }
}

template <class T>
Outcome run_backward(const Case& test) {
  const Arrays in = arrays_of<T>(test);
  std::vector<T> q, k, v;
  const Outcome outcome = run([&] {
    Device<T> device(test, in);
    DeviceBuffer<T> grad_out(cast<T>(in.grad), "grad_out"), grad_q(cast<T>(in.q), "grad_q"),
        grad_k(cast<T>(in.k), "grad_k"), grad_v(cast<T>(in.v), "grad_v");
    DeviceBuffer<float> delta(test.heads * test.rows(), "delta");
    launch_varlen_forward(
        {.in = device.inputs, .out = device.out.data(), .log_sum_exp = device.log_sum_exp.data()},
        nullptr);
    launch_varlen_backward({.in = device.inputs,
                            .out = device.out.data(),
                            .grad_out = grad_out.data(),
                            .log_sum_exp = device.log_sum_exp.data(),
                            .delta = delta.data(),
                            .grad_q = grad_q.data(),
                            .grad_k = grad_k.data(),
                            .grad_v = grad_v.data(),
                            .grad_q_stride = test.q_stride(),
                            .grad_k_stride = test.k_stride(),
                            .grad_v_stride = test.k_stride()},
                           nullptr);
    q = grad_q.host();
    k = grad_k.host();
    v = grad_v.host();
  });
  Arrays moved = in;
  expect_slopes(test, moved, moved.q, q, test.queries, test.q_stride());
  expect_slopes(test, moved, moved.k, k, test.keys, test.k_stride());
  expect_slopes(test, moved, moved.v, v, test.keys, test.k_stride());
  return outcome;
}

template <class T>
class VarlenKernel : public testing::Test {};
TYPED_TEST_SUITE(VarlenKernel, Elements);

// Head sizes, groups, strides, sequences of no, one and several tiles.
const Case kShapes[] = {
    {2, 2, 64, {5, 1, 33}, {5, 1, 33}},
    {4, 2, 16, {40, 0, 3}, {40, 0, 3}, true, 0, 0, false, 4},
    {3, 1, 7, {20, 2}, {20, 2}, true, 0, 0, false, 1},
    {2, 1, 128, {34}, {34}},
    {1, 1, 80, {9, 35}, {9, 35}},
    {1, 1, 256, {3}, {3}},
    {1, 1, 1, {37}, {37}},
};

TYPED_TEST(VarlenKernel, HeadsAndGroups) {
  for (const Case& test : kShapes) {
    SCOPED_TRACE(testing::Message() << test.heads << "/" << test.kv_heads << ", " << test.head_dim);
    expect_clean(run_forward<TypeParam>(test));
    expect_clean(run_backward<TypeParam>(test));
  }
}

// Windows across tiles, caps, ALiBi; queries that are the last of their keys; cross-attention.
const Case kOptions[] = {
    {2, 1, 8, {70, 5}, {70, 5}, true, 10},
    {2, 1, 8, {70}, {70}, true, 33},
    {2, 2, 8, {40, 5}, {40, 5}, true, 0, 1.5},
    {4, 2, 8, {45, 6}, {45, 6}, true, 12, 2.0, true},
    {2, 1, 8, {5, 34}, {41, 70}},
    {2, 1, 8, {5, 34}, {41, 70}, true, 20},
    {2, 1, 8, {36, 5}, {7, 66}, false},
    {2, 1, 8, {36, 5}, {7, 66}, false, 0, 3.0, true},
};

TYPED_TEST(VarlenKernel, WindowsCapsBiasAndOtherKeys) {
  for (const Case& test : kOptions) {
    SCOPED_TRACE(testing::Message() << &test - kOptions);
    expect_clean(run_forward<TypeParam>(test));
    expect_clean(run_backward<TypeParam>(test));
  }
}

// Before its first key a causal query sees nothing: output 0, no gradient, no NaN.
TEST(VarlenKernelRows, QueriesWithoutKeys) {
  const Case test{1, 1, 8, {40}, {3}};
  expect_clean(run_forward<float>(test));
  expect_clean(run_backward<float>(test));
}

TEST(VarlenKernelShapes, AreRefusedOrEmpty) {
  const Outcome outcome = run([] {
    launch_varlen_forward({}, nullptr);
    launch_varlen_backward({}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  VarlenForward op{.in = {.sequences = 1, .max_queries = 1, .heads = 1, .kv_heads = 1}};
  op.in.head_dim = 257;
  EXPECT_THROW(launch_varlen_forward(op, nullptr), Error);
  op.in.head_dim = 8;
  op.in.heads = 3;
  op.in.kv_heads = 2;
  EXPECT_THROW(launch_varlen_forward(op, nullptr), Error);
}

}  // namespace
}  // namespace plumb::simt
