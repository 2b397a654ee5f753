#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/ops/decode_linear.h"

namespace plumb {
namespace {

struct Problem {
  at::Tensor x, weight, bias, residual, a, b;
  at::Tensor narrow, scales;  // of other formats; `weight` is then what they widen to
  WeightFormat format = WeightFormat::f32;
};

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

Problem make_problem(int64_t rows, int64_t in, int64_t out) {
  at::manual_seed(rows * 1000003 + in * 1009 + out);
  Problem p;
  p.x = at::randn({rows, in});
  p.weight = at::randn({out, in});
  return p;
}

void add_terms(Problem& p, int64_t rank) {
  p.bias = at::randn({p.weight.size(0)});
  p.residual = at::randn({p.x.size(0), p.weight.size(0)});
  p.a = at::randn({rank, p.x.size(1)});
  p.b = at::randn({p.weight.size(0), rank});
}

void narrow(Problem& p, WeightFormat format) {
  const int64_t out = p.weight.size(0), in = p.weight.size(1);
  p.format = format;
  if (format == WeightFormat::bf16) {
    p.narrow = p.weight.to(at::kBFloat16);
    p.weight = p.narrow.to(at::kFloat);
  } else if (format == WeightFormat::int8) {
    p.narrow = at::randint(-128, 128, {out, in}, at::kChar);
    p.scales = at::rand({out, (in + kScaleGroup - 1) / kScaleGroup}) + 0.01;
    const at::Tensor of_weights = p.scales.repeat_interleave(kScaleGroup, 1).slice(1, 0, in);
    p.weight = p.narrow.to(at::kFloat) * of_weights;
  }
}

DecodeWeight weight_of(const Problem& p) {
  const bool is_narrow = p.format != WeightFormat::f32;
  return {.values = is_narrow ? p.narrow.const_data_ptr() : p.weight.const_data_ptr(),
          .bias = data_or_null(p.bias),
          .out_features = p.weight.size(0),
          .in_features = p.weight.size(1),
          .format = p.format,
          .scales = data_or_null(p.scales)};
}

// The rows [begin, end) in one call.
at::Tensor run(const Problem& p, int64_t begin, int64_t end) {
  const at::Tensor x = p.x.slice(0, begin, end).contiguous();
  const int64_t out = p.weight.size(0), rows = end - begin;
  at::Tensor y =
      p.residual.defined() ? p.residual.slice(0, begin, end).clone() : at::empty({rows, out});
  at::Tensor xa;
  DecodeLowRank low_rank;
  if (p.a.defined()) {
    const int64_t rank = p.a.size(0);
    xa = at::empty({rows, rank + 3});  // rows may stand apart
    decode_linear(x.const_data_ptr<float>(), rows,
                  {.values = data_or_null(p.a), .out_features = rank, .in_features = p.a.size(1)},
                  {}, {.y = xa.mutable_data_ptr<float>(), .y_stride = rank + 3});
    low_rank = {data_or_null(xa), rank + 3, data_or_null(p.b), rank};
  }
  float* to = y.mutable_data_ptr<float>();
  decode_linear(x.const_data_ptr<float>(), rows, weight_of(p), low_rank,
                {to, out, p.residual.defined() ? to : nullptr});
  return y;
}

at::Tensor expected(const Problem& p) {
  const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
  at::Tensor y = at::mm(wide(p.x), wide(p.weight).t());
  if (p.a.defined()) {
    y = y + wide(p.bias) + wide(p.residual) +
        at::mm(at::mm(wide(p.x), wide(p.a).t()), wide(p.b).t());
  }
  return y;
}

// Relative to the sum of the absolute terms, which is what rounding is proportional to.
double largest_error(const at::Tensor& y, const Problem& p) {
  at::Tensor size = at::mm(p.x.abs(), p.weight.abs().t());
  if (p.a.defined()) {
    size = size + at::mm(at::mm(p.x.abs(), p.a.abs().t()), p.b.abs().t());
  }
  return ((y.to(at::kDouble) - expected(p)).abs() / (size + 1)).max().item<double>();
}

TEST(DecodeLinear, EqualsATenInFloat64) {
  for (const int64_t in : {1, 5, 16, 17, 44, 64, 172, 704}) {
    for (const int64_t out : {1, 7, 16, 33, 200}) {
      for (const int64_t rows : {1, 2, 3, 4, 7, 8, 13, 64}) {
        Problem p = make_problem(rows, in, out);
        EXPECT_LT(largest_error(run(p, 0, rows), p), 1e-6) << in << " " << out << " " << rows;
        add_terms(p, 5);
        EXPECT_LT(largest_error(run(p, 0, rows), p), 1e-6) << in << " " << out << " " << rows;
      }
    }
  }
}

TEST(DecodeLinear, ARowHasTheSameBitsAmongAnyOthers) {
  for (const int64_t in : {5, 44, 172, 256}) {
    for (const int64_t out : {7, 33, 200}) {
      for (const bool with_terms : {false, true}) {
        Problem p = make_problem(64, in, out);
        if (with_terms) {
          add_terms(p, 16);
        }
        const at::Tensor whole = run(p, 0, 64);
        for (const int64_t size : {1, 2, 3, 5, 16}) {
          for (int64_t begin = 0; begin + size <= 64; begin += size) {
            EXPECT_TRUE(at::equal(run(p, begin, begin + size), whole.slice(0, begin, begin + size)))
                << in << " " << out << ": rows from " << begin << ", " << size << " together";
          }
        }
      }
    }
  }
}

// Rounding to the format is another's business: core/model/decode_weights.h.
TEST(DecodeLinear, NarrowWeightsGiveTheBitsOfTheWidenedOnes) {
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8}) {
    for (const int64_t in : {1, 5, 16, 31, 33, 44, 64, 172}) {
      for (const int64_t out : {1, 7, 16, 33, 200}) {
        for (const int64_t rows : {1, 2, 5, 8, 19}) {
          Problem p = make_problem(rows, in, out);
          narrow(p, format);
          add_terms(p, 5);
          Problem wide = p;
          wide.format = WeightFormat::f32;
          EXPECT_TRUE(at::equal(run(p, 0, rows), run(wide, 0, rows)))
              << in << " " << out << " " << rows << " " << static_cast<int>(format);
          EXPECT_LT(largest_error(run(p, 0, rows), p), 1e-6);
        }
      }
    }
  }
}

TEST(DecodeLinear, ThreadsDoNotChangeBits) {
  const int before = at::get_num_threads();
  Problem p = make_problem(16, 300, 5000);
  at::set_num_threads(1);
  const at::Tensor alone = run(p, 0, 16);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(run(p, 0, 16), alone));
  at::set_num_threads(before);
}

TEST(DecodeLinear, WritesOnlyItsColumns) {
  const Problem p = make_problem(3, 20, 6);
  at::Tensor wide = at::full({3, 10}, 9.0);
  decode_linear(p.x.const_data_ptr<float>(), 3, weight_of(p), {},
                {wide.mutable_data_ptr<float>() + 2, 10, nullptr});
  EXPECT_TRUE(at::equal(wide.slice(1, 2, 8), run(p, 0, 3)));
  EXPECT_TRUE(wide.slice(1, 0, 2).eq(9).all().item<bool>());
  EXPECT_TRUE(wide.slice(1, 8, 10).eq(9).all().item<bool>());
}

}  // namespace
}  // namespace plumb
