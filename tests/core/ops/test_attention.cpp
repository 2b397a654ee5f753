#include "core/ops/attention.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/ops/attention_composed.h"
#include "tests/core/ops/attention_case.h"
#include "tests/support/fixture.h"

namespace plumb {
namespace {

using namespace test;

// Values and gradients of the op on f32 copies of the leaves.
struct Result {
  AttentionOutput output;
  std::vector<at::Tensor> grads;
};

using Forward = AttentionOutput (*)(const AttentionInputs&);
using Backward = void (*)(const AttentionInputs&, const AttentionOutput&, const at::Tensor&,
                          const AttentionGrads&);

Result run(const AttentionLeaves& leaves, const at::Tensor& grad_out, at::ScalarType type,
           Forward forward = attention, Backward backward = attention_backward) {
  const std::vector<at::Tensor> values = copies(leaves.leaves(), type);
  const AttentionInputs in = leaves.inputs(values);
  Result result{forward(in), filled_like(values, 1e30)};  // all of the gradients is written
  backward(in, result.output, grad_out.to(type), leaves.grads(result.grads));
  return result;
}

struct Exact {
  at::Tensor out, grad_out;
  std::vector<at::Tensor> grads;
};

Exact exact(const AttentionLeaves& leaves) {
  const std::vector<at::Tensor> all = leaves.leaves();
  const at::Tensor out = attention_ref(leaves.inputs(all));
  const at::Tensor grad_out = at::randn(out.sizes(), at::kDouble);
  return {out.detach(), grad_out, gradients(out, grad_out, all)};
}

// Errors of the op at most `times` those of the same mathematics as f32 ATen ops, plus a floor for
// cases where these are lucky.
void expect_exact(const AttentionCase& c, double times = 3.0) {
  const AttentionLeaves leaves(c);
  const Exact want = exact(leaves);
  const Result got = run(leaves, want.grad_out, at::kFloat);
  const Result plain =
      run(leaves, want.grad_out, at::kFloat, composed_attention, composed_attention_backward);
  const auto allowed = [&](const at::Tensor& reference, const at::Tensor& truth) {
    const double size = std::max(1.0, truth.abs().max().item<double>());
    return times * max_difference(reference, truth) + 2e-6 * size;
  };
  EXPECT_LE(max_difference(got.output.out, want.out), allowed(plain.output.out, want.out))
      << c.name;
  EXPECT_LE(max_difference(got.output.log_sum_exp, plain.output.log_sum_exp), 2e-5) << c.name;
  for (std::size_t i = 0; i < want.grads.size(); ++i) {
    EXPECT_LE(max_difference(got.grads[i], want.grads[i]), allowed(plain.grads[i], want.grads[i]))
        << c.name << ", gradient " << i;
  }
}

const std::vector<std::vector<int64_t>> kLengths = {
    {1}, {33, 64, 65, 129, 2}, {47, 48, 49, 96, 97}};

TEST(Attention, EqualsTheReferenceForEveryHeadSize) {
  for (const AttentionShape& shape : {AttentionShape{4, 2, 8},
                                      {3, 3, 5},
                                      {8, 1, 16},
                                      {7, 7, 32},
                                      {4, 2, 40},
                                      {6, 2, 64},
                                      {3, 1, 80},
                                      {2, 2, 96},
                                      {5, 1, 128},
                                      {2, 1, 256}}) {
    for (const std::vector<int64_t>& lengths : kLengths) {
      expect_exact({"width " + std::to_string(shape.width), shape, lengths});
    }
  }
}

TEST(Attention, EqualsTheReferenceOnLongSequences) {
  expect_exact({"one long", {4, 2, 64}, {1100}});
  expect_exact({"one kv head", {3, 1, 32}, {1029}});
  expect_exact({"long and short", {2, 2, 16}, {5, 700, 1, 333}});
}

// Ways to set one option; those of a pair are both applied.
using Change = void (*)(AttentionCase&);
struct Option {
  const char* name;
  Change change;
};

const std::vector<Option> kOptions = {
    {"scale", [](AttentionCase& c) { c.options.scale = 0.9; }},
    {"window", [](AttentionCase& c) { c.options.window = 20; }},
    {"window of a tile", [](AttentionCase& c) { c.options.window = 49; }},
    {"window of one", [](AttentionCase& c) { c.options.window = 1; }},
    {"softcap", [](AttentionCase& c) { c.options.softcap = 1.5; }},
    {"key bias",
     [](AttentionCase& c) {
       c.options.key_bias = at::randn({c.shape.heads, 400}, at::kDouble);
     }},
    {"alibi", [](AttentionCase& c) { c.options.key_bias = falcon_alibi(c.shape.heads, 300, 0.3); }},
    {"relative",
     [](AttentionCase& c) {
       c.options.relative = {at::randn({32, c.shape.heads}, at::kDouble), 128, true};
     }},
    {"relative behind",
     [](AttentionCase& c) {
       c.options.relative = {at::randn({16, c.shape.heads}, at::kDouble), 60, false};
     }},
    {"more keys",
     [](AttentionCase& c) {
       c.key_lengths = c.lengths;
       for (std::size_t b = 0; b < c.lengths.size(); ++b) {
         c.key_lengths[b] += 7 + 31 * static_cast<int64_t>(b);
       }
     }},
    {"both directions", [](AttentionCase& c) { c.options.is_causal = false; }},
};

bool contradict(const AttentionCase& c) {
  return c.options.window > 0 && !c.options.is_causal;
}

TEST(Attention, EveryOptionAloneAndInPairsEqualsTheReference) {
  for (std::size_t a = 0; a < kOptions.size(); ++a) {
    for (std::size_t b = a; b < kOptions.size(); ++b) {
      AttentionCase c{
          std::string(kOptions[a].name) + " + " + kOptions[b].name, {4, 2, 24}, {3, 1, 70, 9, 150}};
      kOptions[a].change(c);
      kOptions[b].change(c);
      if (!contradict(c)) {
        expect_exact(c);
      }
    }
  }
}

TEST(Attention, CrossAttentionTakesFewerKeysThanQueriesAndSequencesWithoutQueries) {
  AttentionCase c{"fewer keys", {4, 4, 16}, {60, 0, 5, 130}};
  c.key_lengths = {3, 20, 100, 49};
  c.options.is_causal = false;
  expect_exact(c);
}

TEST(Attention, FloatOfOtherTypesIsComposed) {
  for (const Option& option : kOptions) {
    AttentionCase c{option.name, {4, 2, 8}, {3, 50}};
    option.change(c);
    const AttentionLeaves leaves(c);
    const Exact want = exact(leaves);
    const Result got = run(leaves, want.grad_out, at::kDouble);
    EXPECT_LE(max_difference(got.output.out, want.out), 1e-12) << c.name;
    for (std::size_t i = 0; i < want.grads.size(); ++i) {
      EXPECT_LE(max_difference(got.grads[i], want.grads[i]), 1e-11) << c.name;
    }
  }
}

// The reference itself, against ATen's dense attention with the options in a mask of its own.
TEST(Attention, ReferenceEqualsATenWithAMask) {
  const int64_t queries = 30, keys = 37, window = 12, shift = keys - queries;
  const at::Tensor q = at::randn({queries, 4, 8}, at::kDouble);
  const at::Tensor k = at::randn({keys, 4, 8}, at::kDouble), v = at::randn_like(k);
  const at::Tensor bias = at::randn({4, keys}, at::kDouble),
                   table = at::randn({32, 4}, at::kDouble);
  AttentionInputs in{q, k, v, {0, queries}};
  in.key_cu_seqlens = {0, keys};
  in.options = {.window = window, .key_bias = bias, .relative = {table, 128, false}};
  at::Tensor mask = at::zeros({1, 4, queries, keys}, at::kDouble);
  auto entry = mask.accessor<double, 4>();
  const auto buckets = read_fixture("attention").at("buckets.decoder");  // offsets from -600
  for (int64_t h = 0; h < 4; ++h) {
    for (int64_t i = 0; i < queries; ++i) {
      for (int64_t j = 0; j < keys; ++j) {
        const int64_t back = i + shift - j, bucket = buckets[600 - back].item<int64_t>();
        entry[0][h][i][j] =
            back < 0 || back >= window ? -INFINITY : (bias[h][j] + table[bucket][h]).item<double>();
      }
    }
  }
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); };
  const at::Tensor want =
      at::scaled_dot_product_attention(heads_first(q), heads_first(k), heads_first(v), mask);
  EXPECT_LE(max_difference(heads_first(attention_ref(in)), want), 1e-13);
}

TEST(Attention, SoftCapAndWindowAreThoseOfGemma) {
  const Fixture fixture = read_fixture("attention");
  const Json gemma = fixture.json("gemma");
  const auto of = [&](const std::string& name) { return fixture.at("gemma." + name); };
  AttentionInputs in{of("q"), of("k"), of("v"), {0, of("q").size(0)}};
  in.options = {.scale = gemma["scale"].get<double>(),
                .window = gemma["window"].get<int64_t>(),
                .softcap = gemma["softcap"].get<double>()};
  EXPECT_LE(max_difference(attention_ref(in), of("out")), 1e-13);
  const AttentionOutput output = attention(in);
  const AttentionGrads grad{at::empty_like(in.q), at::empty_like(in.k), at::empty_like(in.v)};
  attention_backward(in, output, of("grad_out"), grad);
  EXPECT_LE(max_difference(output.out, of("out")), 1e-13);
  EXPECT_LE(max_difference(grad.q, of("grad_q")), 1e-13);
  EXPECT_LE(max_difference(grad.k, of("grad_k")), 1e-13);
  EXPECT_LE(max_difference(grad.v, of("grad_v")), 1e-13);
}

TEST(AttentionBias, BucketsAreThoseOfT5) {
  const Fixture fixture = read_fixture("attention");
  const Json all = fixture.json("buckets");
  for (const auto& [name, settings] : all.items()) {
    RelativeBias bias{at::empty({settings[0].get<int64_t>(), 1}), settings[1].get<int64_t>(),
                      settings[2].get<bool>()};
    const at::Tensor got =
        relative_buckets(bias, settings[3].get<int64_t>(), settings[4].get<int64_t>());
    EXPECT_TRUE(same_bits(got, fixture.at("buckets." + name))) << name;
  }
}

TEST(AttentionBias, AlibiIsFalcons) {
  const Fixture fixture = read_fixture("attention");
  for (const int64_t heads : {1, 4, 12, 20}) {
    const at::Tensor want = fixture.at("alibi." + std::to_string(heads));
    EXPECT_TRUE(same_bits(falcon_alibi(heads, want.size(1), 1.0), want)) << heads;
    EXPECT_TRUE(same_bits(falcon_alibi(heads, want.size(1), 0.25), want * 0.25)) << heads;
  }
}

std::vector<at::Tensor> all_of(const Result& result) {
  std::vector<at::Tensor> all = result.grads;
  all.push_back(result.output.out);
  all.push_back(result.output.log_sum_exp);
  return all;
}

TEST(Attention, BitsDependNeitherOnThreadsNorOnTheRun) {
  std::vector<AttentionCase> cases = {{"packed", {4, 2, 8}, {50, 90, 7, 70}},
                                      {"one long", {8, 1, 32}, {900}},
                                      {"many", {4, 4, 16}, std::vector<int64_t>(20, 61)}};
  cases.push_back(cases[1]);
  cases.back().options.relative = {at::randn({32, 8}, at::kDouble), 128, true};
  const int threads = at::get_num_threads();
  for (const AttentionCase& c : cases) {
    const AttentionLeaves leaves(c);
    const at::Tensor grad_out =
        at::randn({bounds_of(c.lengths).back(), c.shape.heads, c.shape.width});
    at::set_num_threads(1);
    const std::vector<at::Tensor> want = all_of(run(leaves, grad_out, at::kFloat));
    for (const int count : {1, 2, 3, 7}) {
      at::set_num_threads(count);
      const std::vector<at::Tensor> got = all_of(run(leaves, grad_out, at::kFloat));
      for (std::size_t i = 0; i < want.size(); ++i) {
        EXPECT_TRUE(same_bits(got[i], want[i])) << c.name << ", " << count << " threads, " << i;
      }
    }
  }
  at::set_num_threads(threads);
}

TEST(Attention, BitsDependNeitherOnNeighboursNorOnLaterRows) {
  const AttentionCase c{"packed", {4, 2, 8}, {50, 90, 7, 70}};
  const AttentionLeaves leaves(c);
  const std::vector<at::Tensor> values = copies(leaves.leaves(), at::kFloat);
  const at::Tensor all = attention(leaves.inputs(values)).out;
  AttentionCase alone = c;
  alone.lengths = {90};
  const std::vector<at::Tensor> second{values[0].narrow(0, 50, 90).clone()};
  const AttentionLeaves one(alone);
  EXPECT_TRUE(same_bits(attention(one.inputs(second)).out, all.narrow(0, 50, 90)));
  second[0].narrow(0, 33, 57).fill_(1e3);
  EXPECT_TRUE(same_bits(attention(one.inputs(second)).out.narrow(0, 0, 33), all.narrow(0, 50, 33)));
}

TEST(Attention, LargeScoresStayFinite) {
  const AttentionLeaves leaves({"large", {2, 2, 16}, {130}});
  std::vector<at::Tensor> values = copies(leaves.leaves(), at::kFloat);
  values[0].mul_(300);
  std::vector<at::Tensor> grads = filled_like(values, 1e30);
  const AttentionInputs in = leaves.inputs(values);
  const AttentionOutput got = attention(in);
  attention_backward(in, got, at::ones_like(got.out), leaves.grads(grads));
  AttentionInputs wide = leaves.inputs(copies(values, at::kDouble));
  EXPECT_LE(max_difference(got.out, attention_ref(wide)), 300 * 0.05);  // scores of 1e6 in f32
  EXPECT_TRUE(grads[0].isfinite().all().item<bool>());
}

AttentionInputs small_inputs(int64_t heads, int64_t kv_heads) {
  return {
      at::randn({5, heads, 4}), at::randn({5, kv_heads, 4}), at::randn({5, kv_heads, 4}), {0, 5}};
}

TEST(Attention, RefusesWhatDoesNotFit) {
  EXPECT_THROW(attention(small_inputs(3, 2)), Error);
  const auto refused = [](auto change) {
    AttentionInputs in = small_inputs(4, 2);
    attention(in);
    change(in);
    EXPECT_THROW(attention(in), Error);
  };
  refused([](AttentionInputs& in) { in.cu_seqlens = {0, 4}; });
  refused([](AttentionInputs& in) { in.cu_seqlens = {0, 4, 3, 5}; });
  refused([](AttentionInputs& in) { in.key_cu_seqlens = {0, 2, 5}; });
  refused([](AttentionInputs& in) { in.cu_seqlens = {0, 3, 5}, in.key_cu_seqlens = {0, 2, 5}; });
  refused([](AttentionInputs& in) {
    in.options.is_causal = false;
    in.cu_seqlens = {0, 3, 5};
    in.key_cu_seqlens = {0, 0, 5};
  });
  refused([](AttentionInputs& in) { in.options.window = -1; });
  refused([](AttentionInputs& in) { in.options = {.is_causal = false, .window = 3}; });
  refused([](AttentionInputs& in) { in.options.softcap = -1; });
  refused([](AttentionInputs& in) { in.options.key_bias = at::zeros({4, 4}); });
  refused([](AttentionInputs& in) { in.options.key_bias = at::zeros({2, 5}); });
  refused([](AttentionInputs& in) { in.options.key_bias = at::zeros({4, 5}, at::kDouble); });
  refused([](AttentionInputs& in) { in.options.relative.table = at::zeros({32, 2}); });
  refused([](AttentionInputs& in) { in.options.relative = {at::zeros({32, 4}), 8, true}; });
  refused([](AttentionInputs& in) { in.q = in.q.transpose(1, 2).contiguous().transpose(1, 2); });
}

}  // namespace
}  // namespace plumb
