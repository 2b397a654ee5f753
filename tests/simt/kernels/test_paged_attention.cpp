// The cache's write and decode attention against attention written out in float64 over contiguous
// sequences (Vaswani et al. 2017, eq. 1; biases of keys are ALiBi, Press et al. 2022).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/ops/paged_attention_kernel.h"
#include "tests/simt/device_buffer.h"
#include "tests/simt/kernels/gates.h"
#include "tests/simt/kernels/values.h"

namespace plumb::simt {
namespace {

struct Case {
  int64_t heads, kv_heads, head_dim;
  std::vector<int64_t> lengths;
  int64_t page_size = 16;
  int64_t window = 0;
  double softcap = 0;
  bool has_key_bias = false;

  int64_t queries() const { return static_cast<int64_t>(lengths.size()); }
  int64_t max_length() const { return *std::max_element(lengths.begin(), lengths.end()); }
  int64_t max_pages() const { return (max_length() + page_size - 1) / page_size; }
  int64_t width() const { return kv_heads * head_dim; }
};

// Slots hold their pages in a mixed order, so that a page taken for another shows.
struct Pages {
  explicit Pages(const Case& test) : table(test.queries() * test.max_pages()) {
    const auto count = static_cast<int64_t>(table.size());
    int64_t step = 7;
    while (std::gcd(step, count) != 1) {
      ++step;
    }
    for (int64_t i = 0; i < count; ++i) {
      table[i] = static_cast<int32_t>(i * step % count);
    }
  }
  int64_t row(const Case& test, int64_t slot, int64_t position) const {
    return table[slot * test.max_pages() + position / test.page_size] * test.page_size +
           position % test.page_size;
  }
  std::vector<int32_t> table;
};

template <class T>
struct Inputs {
  explicit Inputs(const Case& test)
      : pages(test),
        keys(normal_values<T>(size(test), 20)),
        values(normal_values<T>(size(test), 21)),
        q(normal_values<T>(test.queries() * test.heads * test.head_dim, 22)) {
    for (int64_t i = 0; i < test.queries(); ++i) {
      slots.push_back(test.queries() - 1 - i);  // queries in another order than slots
    }
    key_bias = normal_values<float>(test.heads * bias_stride(test), 23);
  }
  static int64_t bias_stride(const Case& test) { return test.max_length() + 3; }
  static int64_t size(const Case& test) {
    return test.queries() * test.max_pages() * test.page_size * test.width();
  }
  Pages pages;
  std::vector<T> keys, values, q;
  std::vector<int64_t> slots;
  std::vector<float> key_bias;
};

template <class T>
std::vector<double> attention(const Case& test, const Inputs<T>& in) {
  const int64_t dim = test.head_dim;
  std::vector<double> out(in.q.size());
  for (int64_t i = 0; i < test.queries() * test.heads; ++i) {
    const int64_t query = i / test.heads, head = i % test.heads;
    const int64_t kv = head / (test.heads / test.kv_heads), length = test.lengths[query];
    const int64_t first = test.window > 0 ? std::max<int64_t>(0, length - test.window) : 0;
    std::vector<double> weights;
    double sum = 0;
    const auto at = [&](int64_t key) {
      return in.pages.row(test, in.slots[query], key) * test.width() + kv * dim;
    };
    for (int64_t key = first; key < length; ++key) {
      double score = 0;
      for (int64_t d = 0; d < dim; ++d) {
        score += value_of(in.q[i * dim + d]) * value_of(in.keys[at(key) + d]);
      }
      score /= std::sqrt(static_cast<double>(dim));
      score = test.softcap > 0 ? test.softcap * std::tanh(score / test.softcap) : score;
      score += test.has_key_bias ? in.key_bias[head * in.bias_stride(test) + key] : 0.0f;
      weights.push_back(std::exp(score));
      sum += weights.back();
    }
    for (int64_t key = first; key < length; ++key) {
      for (int64_t d = 0; d < dim; ++d) {
        out[i * dim + d] += weights[key - first] / sum * value_of(in.values[at(key) + d]);
      }
    }
  }
  return out;
}

// Device arrays of a case; positions no sequence reaches hold NaN.
template <class T>
struct Device {
  Device(const Case& test, const Inputs<T>& in)
      : keys(only_reached(test, in, in.keys), "keys"),
        values(only_reached(test, in, in.values), "values"),
        table(in.pages.table, "block_table"),
        cache{.keys = keys.data(),
              .values = values.data(),
              .block_table = table.data(),
              .max_pages = test.max_pages(),
              .page_size = test.page_size,
              .kv_heads = test.kv_heads,
              .head_dim = test.head_dim,
              .dtype = dtype_of<T>} {}

  static std::vector<T> only_reached(const Case& test, const Inputs<T>& in,
                                     const std::vector<T>& all) {
    std::vector<T> kept(all.size(), as<T>(std::numeric_limits<double>::quiet_NaN()));
    for (int64_t query = 0; query < test.queries(); ++query) {
      for (int64_t key = 0; key < test.lengths[query]; ++key) {
        const int64_t at = in.pages.row(test, in.slots[query], key) * test.width();
        std::copy_n(all.begin() + at, test.width(), kept.begin() + at);
      }
    }
    return kept;
  }

  DeviceBuffer<T> keys, values;
  DeviceBuffer<int32_t> table;
  PagedCache cache;
};

template <class T>
Outcome run_decode(const Case& test) {
  const Inputs<T> in(test);
  const std::vector<double> want = attention(test, in);
  return run([&] {
    Device<T> device(test, in);
    DeviceBuffer<T> q(in.q, "q"), out(static_cast<int64_t>(in.q.size()), "out");
    DeviceBuffer<int64_t> slots(in.slots, "slots"), lengths(test.lengths, "lengths");
    DeviceBuffer<float> key_bias(in.key_bias, "key_bias"),
        partial(
            decode_attention_scratch(test.queries(), test.heads, test.head_dim, test.max_length()),
            "partial");
    launch_decode_attention(
        {.cache = device.cache,
         .out = out.data(),
         .q = q.data(),
         .slots = slots.data(),
         .lengths = lengths.data(),
         .key_bias = test.has_key_bias ? key_bias.data() : nullptr,
         .partial = partial.data(),
         .queries = test.queries(),
         .heads = test.heads,
         .q_stride = test.heads * test.head_dim,
         .bias_stride = in.bias_stride(test),
         .max_length = test.max_length(),
         .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(test.head_dim))),
         .softcap = static_cast<float>(test.softcap),
         .window = test.window},
        nullptr);
    EXPECT_TRUE(all_near(out.host(), want, 1.01 * kRounding<T>, 3e-6));
  });
}

template <class T>
class DecodeKernel : public testing::Test {};
TYPED_TEST_SUITE(DecodeKernel, Elements);

TYPED_TEST(DecodeKernel, HeadsAndGroups) {
  const Case cases[] = {{2, 2, 64, {5, 1, 17}}, {4, 2, 32, {33, 16}}, {8, 2, 128, {40}},
                        {6, 2, 16, {20, 3}},    {7, 1, 64, {19}},     {2, 1, 256, {18}},
                        {1, 1, 8, {9}},         {5, 5, 96, {12, 30}}, {4, 1, 80, {11}}};
  for (const Case& test : cases) {
    SCOPED_TRACE(testing::Message()
                 << test.heads << "/" << test.kv_heads << " heads of " << test.head_dim);
    expect_clean(run_decode<TypeParam>(test));
  }
}

TYPED_TEST(DecodeKernel, SeveralSplits) {
  expect_clean(run_decode<TypeParam>({2, 1, 32, {600, 256, 257, 1}, 64}));
}

TYPED_TEST(DecodeKernel, AQueryOfNoSequenceIsZero) {
  expect_clean(run_decode<TypeParam>({4, 2, 32, {12, 0, 300}, 64}));
}

TYPED_TEST(DecodeKernel, OnePageASlotIsAContiguousCache) {
  expect_clean(run_decode<TypeParam>({2, 1, 32, {70, 33}, 128}));
}

TYPED_TEST(DecodeKernel, WindowCapAndKeyBias) {
  expect_clean(run_decode<TypeParam>({4, 2, 32, {50, 7, 300}, 16, 20}));
  expect_clean(run_decode<TypeParam>({4, 2, 32, {300}, 16, 290}));
  expect_clean(run_decode<TypeParam>({4, 2, 32, {50, 7}, 16, 0, 2.0}));
  expect_clean(run_decode<TypeParam>({4, 2, 32, {50, 7}, 16, 12, 1.5, true}));
}

// The result of a sequence has the same bits alone and among others.
TEST(DecodeKernelBatch, NeighboursDoNotMatter) {
  const Case both{4, 2, 32, {37, 300}, 512};
  const Inputs<float> in(both);
  std::vector<float> together, alone;
  const auto decode = [&](int64_t queries, int64_t max_length, std::vector<float>& result) {
    Device<float> device(both, in);
    DeviceBuffer<float> q(in.q, "q"), out(queries * 128, "out"),
        partial(decode_attention_scratch(queries, 4, 32, max_length), "partial");
    DeviceBuffer<int64_t> slots(in.slots, "slots"), lengths(both.lengths, "lengths");
    launch_decode_attention({.cache = device.cache,
                             .out = out.data(),
                             .q = q.data(),
                             .slots = slots.data(),
                             .lengths = lengths.data(),
                             .partial = partial.data(),
                             .queries = queries,
                             .heads = 4,
                             .q_stride = 128,
                             .max_length = max_length,
                             .scale = 0.2f},
                            nullptr);
    result = out.host();
  };
  expect_clean(run([&] { decode(2, 300, together); }));
  expect_clean(run([&] { decode(1, 37, alone); }));
  together.resize(128);
  EXPECT_EQ(together, alone);
}

TYPED_TEST(DecodeKernel, ReadsTheCacheOnceAGroup) {
  const Case test{4, 1, 128, {256}, 256};
  const Outcome outcome = run_decode<TypeParam>(test);
  const int64_t bytes = static_cast<int64_t>(sizeof(TypeParam));
  // Keys and values, q and out; partial sums once out and once in.
  const int64_t floor = 2 * 256 * 128 * bytes + 2 * 4 * 128 * bytes + 2 * 4 * 130 * 4;
  expect_streaming(outcome, floor + 200);
  EXPECT_LE(outcome.traffic().bytes_read, static_cast<uint64_t>(1.2 * floor));
}

TYPED_TEST(DecodeKernel, WritesLandInTheirPages) {
  using T = TypeParam;
  for (const int64_t head_dim : {16, 7}) {
    const Case test{2, 2, head_dim, {21, 5}};
    const Pages pages(test);
    const std::vector<int64_t> slot{0, 1, -1, 0}, position{20, 4, 0, 3};  // -1: of no sequence
    const int64_t tokens = std::ssize(slot);
    const int64_t stride = test.width() + 16;
    const std::vector<T> k_in = normal_values<T>(tokens * stride, 23);
    const std::vector<T> v_in = normal_values<T>(tokens * stride, 24);
    const int64_t size = 2 * test.max_pages() * test.page_size * test.width();
    expect_clean(run([&] {
      DeviceBuffer<T> keys(std::vector<T>(size, as<T>(9.0)), "keys"),
          values(std::vector<T>(size, as<T>(9.0)), "values"), k(k_in, "k"), v(v_in, "v");
      DeviceBuffer<int32_t> table(pages.table, "block_table");
      DeviceBuffer<int64_t> slots(slot, "slots"), positions(position, "positions");
      launch_cache_write({.cache = {.keys = keys.data(),
                                    .values = values.data(),
                                    .block_table = table.data(),
                                    .max_pages = test.max_pages(),
                                    .page_size = test.page_size,
                                    .kv_heads = test.kv_heads,
                                    .head_dim = head_dim,
                                    .dtype = dtype_of<T>},
                          .k = k.data(),
                          .v = v.data(),
                          .slots = slots.data(),
                          .positions = positions.data(),
                          .tokens = tokens,
                          .row_stride = stride},
                         nullptr);
      std::vector<double> want_keys(size, 9.0), want_values(size, 9.0);
      for (int64_t n = 0; n < tokens; ++n) {
        for (int64_t i = 0; slot[n] >= 0 && i < test.width(); ++i) {
          const int64_t at = pages.row(test, slot[n], position[n]) * test.width() + i;
          want_keys[at] = value_of(k_in[n * stride + i]);
          want_values[at] = value_of(v_in[n * stride + i]);
        }
      }
      EXPECT_TRUE(all_near(keys.host(), want_keys, 0, 0));
      EXPECT_TRUE(all_near(values.host(), want_values, 0, 0));
    }));
  }
}

TEST(DecodeKernelShapes, AreRefusedOrEmpty) {
  const Outcome outcome = run([] {
    launch_decode_attention({}, nullptr);
    launch_cache_write({}, nullptr);
  });
  expect_clean(outcome);
  EXPECT_TRUE(outcome.launches.empty());
  EXPECT_THROW(
      launch_decode_attention(
          {.cache = {.kv_heads = 1, .head_dim = 260}, .queries = 1, .heads = 1, .q_stride = 260},
          nullptr),
      Error);
  EXPECT_THROW(
      launch_decode_attention(
          {.cache = {.kv_heads = 2, .head_dim = 64}, .queries = 1, .heads = 3, .q_stride = 192},
          nullptr),
      Error);
}

}  // namespace
}  // namespace plumb::simt
