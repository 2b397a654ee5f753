#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/ops/attention.h"
#include "core/ops/decode_attention.h"

namespace plumb {
namespace {

struct Shape {
  int64_t heads, kv_heads, dim;
};

// A cache of some slots, each filled with `length` positions of random keys and values.
struct Filled {
  at::Tensor key_memory, value_memory, keys, values;  // keys, values: (slots, T, K, D)
  DecodeCache cache;
};

Filled fill(const Shape& shape, int64_t slots, int64_t length) {
  Filled f;
  const int64_t capacity = (length + kKeyBlock - 1) / kKeyBlock * kKeyBlock + kKeyBlock;
  const int64_t width = (shape.dim + kValueAlign - 1) / kValueAlign * kValueAlign;
  // NaN wherever nothing was written: it must never reach a result.
  f.key_memory = at::full({slots, shape.kv_heads, capacity, shape.dim}, NAN);
  f.value_memory = at::full({slots, shape.kv_heads, capacity, width}, NAN);
  f.cache = {f.key_memory.mutable_data_ptr<float>(),
             f.value_memory.mutable_data_ptr<float>(),
             shape.kv_heads,
             shape.dim,
             width,
             capacity};
  at::manual_seed(shape.dim * 100 + length);
  f.keys = at::randn({slots, length, shape.kv_heads, shape.dim});
  f.values = at::randn({slots, length, shape.kv_heads, shape.dim});
  std::vector<DecodeRow> rows;
  for (int64_t slot = 0; slot < slots; ++slot) {
    for (int64_t t = 0; t < length; ++t) {
      rows.push_back({slot, t});
    }
  }
  append_to_cache(f.cache, rows, f.keys.const_data_ptr<float>(), f.values.const_data_ptr<float>(),
                  shape.kv_heads * shape.dim);
  return f;
}

at::Tensor attend(const Filled& f, const Shape& shape, const std::vector<DecodeRow>& rows,
                  const at::Tensor& q) {
  at::Tensor out = at::empty_like(q);
  decode_attention(f.cache, rows,
                   {q.const_data_ptr<float>(), shape.heads * shape.dim, shape.heads,
                    1.0f / std::sqrt(static_cast<float>(shape.dim))},
                   out.mutable_data_ptr<float>());
  return out;
}

at::Tensor expected(const Filled& f, const Shape& shape, const DecodeRow& row,
                    const at::Tensor& q) {
  const auto part = [&](const at::Tensor& all) {  // (1, H, T, D)
    return all[row.slot]
        .slice(0, 0, row.position + 1)
        .to(at::kDouble)
        .repeat_interleave(shape.heads / shape.kv_heads, 1)
        .transpose(0, 1)
        .unsqueeze(0);
  };
  return at::scaled_dot_product_attention(q.to(at::kDouble).view({1, shape.heads, 1, shape.dim}),
                                          part(f.keys), part(f.values))
      .view({shape.heads, shape.dim});
}

const std::vector<Shape> kShapes = {{4, 4, 8}, {8, 4, 12}, {6, 2, 64}, {8, 1, 80}, {7, 1, 128}};

TEST(DecodeAttention, EqualsATenInFloat64) {
  for (const Shape& shape : kShapes) {
    const Filled f = fill(shape, 2, 200);
    for (const int64_t length : {1, 15, 16, 17, 63, 64, 65, 200}) {
      const at::Tensor q = at::randn({1, shape.heads, shape.dim}) * 2;
      const DecodeRow row{1, length - 1};
      const at::Tensor got = attend(f, shape, {row}, q)[0].to(at::kDouble);
      const double error = (got - expected(f, shape, row, q)).abs().max().item<double>();
      EXPECT_LT(error, 3e-6) << shape.heads << " " << shape.dim << " length " << length;
    }
  }
}

TEST(DecodeAttention, ARowHasTheSameBitsAmongAnyOthers) {
  for (const Shape& shape : kShapes) {
    const Filled f = fill(shape, 3, 150);
    std::vector<DecodeRow> rows;
    for (int64_t i = 0; i < 16; ++i) {
      rows.push_back({i % 3, (i * 37) % 150});
    }
    const at::Tensor q = at::randn({16, shape.heads, shape.dim});
    const at::Tensor together = attend(f, shape, rows, q);
    for (int64_t i = 0; i < 16; ++i) {
      EXPECT_TRUE(at::equal(attend(f, shape, {rows[i]}, q.slice(0, i, i + 1))[0], together[i]));
    }
  }
}

struct Options {
  const char* name;
  int64_t window = 0;
  double softcap = 0;
  bool with_key_bias = false;
  bool with_relative = false;
};

const std::vector<Options> kOptions = {
    {.name = "window", .window = 20},
    {.name = "window of one", .window = 1},
    {.name = "softcap", .softcap = 2},
    {.name = "key bias", .with_key_bias = true},
    {.name = "relative", .with_relative = true},
    {.name = "all", .window = 33, .softcap = 1.5, .with_key_bias = true, .with_relative = true}};

// Every option, against the reference of the training op in float64.
TEST(DecodeAttention, OptionsMeanWhatTheyMeanInTraining) {
  for (const Shape& shape : kShapes) {
    const Filled f = fill(shape, 1, 200);
    for (const Options& o : kOptions) {
      const at::Tensor key_bias = at::randn({shape.heads, 200});
      const RelativeBias relative{at::randn({32, shape.heads}), 128, /*is_bidirectional=*/false};
      const at::Tensor by_offset = relative_bias_by_offset(relative, 199, 0).contiguous();
      for (const int64_t length : {1, 16, 40, 200}) {
        const at::Tensor q = at::randn({1, shape.heads, shape.dim}) * 2;
        AttentionInputs in{q.to(at::kDouble),
                           f.keys[0].slice(0, 0, length).to(at::kDouble),
                           f.values[0].slice(0, 0, length).to(at::kDouble),
                           {0, 1}};
        in.key_cu_seqlens = {0, length};
        in.options = {.scale = 0.1, .window = o.window, .softcap = o.softcap};
        DecodeQueries queries{.q = q.const_data_ptr<float>(),
                              .stride = shape.heads * shape.dim,
                              .num_heads = shape.heads,
                              .scale = 0.1f,
                              .window = o.window,
                              .softcap = static_cast<float>(o.softcap)};
        if (o.with_key_bias) {
          in.options.key_bias = key_bias.to(at::kDouble);
          queries.key_bias = {key_bias.const_data_ptr<float>(), 200};
        }
        if (o.with_relative) {
          in.options.relative = relative;
          in.options.relative.table = relative.table.to(at::kDouble);
          queries.relative = {by_offset.const_data_ptr<float>() + 199, 200};
        }
        at::Tensor got = at::empty_like(q);
        decode_attention(f.cache, std::vector<DecodeRow>{{0, length - 1}}, queries,
                         got.mutable_data_ptr<float>());
        const double error = (got - attention_ref(in)).abs().max().item<double>();
        EXPECT_LT(error, 4e-6) << o.name << " " << shape.dim << " length " << length;
      }
    }
  }
}

TEST(DecodeAttention, ACopiedPrefixIsThePrefix) {
  const Shape shape{8, 4, 12};
  const Filled f = fill(shape, 2, 100);
  copy_in_cache(f.cache, 0, 1, 37);
  const at::Tensor q = at::randn({1, 8, 12});
  EXPECT_TRUE(at::equal(attend(f, shape, {{1, 36}}, q), attend(f, shape, {{0, 36}}, q)));
}

}  // namespace
}  // namespace plumb
