// The elementwise parts of a decode step against the tensor forms, which have tests of their own.
#include "core/ops/decode_rows.h"

#include <gtest/gtest.h>

#include "core/ops/layer_norm.h"
#include "core/ops/rms_norm.h"
#include "core/ops/rope.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

const float* data(const at::Tensor& tensor) {
  return tensor.const_data_ptr<float>();
}

float* out(const at::Tensor& tensor) {
  return tensor.mutable_data_ptr<float>();
}

TEST(DecodeRows, NormsEqualTheTrainingOps) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({5, 72}) + 0.5, weight = at::randn({72}), bias = at::randn({72});
  const at::Tensor exact = x.to(at::kDouble), w = weight.to(at::kDouble), b = bias.to(at::kDouble);
  const at::Tensor got = at::empty_like(x);
  decode_norm(data(x), 5, {data(weight), nullptr, 72, 1e-5f}, out(got));
  EXPECT_TRUE(all_close(got, rms_norm_ref(exact, w, 1e-5), 1e-6, 1e-6));
  decode_norm(data(x), 5, {data(weight), data(bias), 72, 1e-5f}, out(got));
  EXPECT_TRUE(all_close(got, layer_norm_ref(exact, w, b, 1e-5), 1e-6, 1e-6));

  const at::Tensor head_weight = at::randn({12});
  const at::Tensor heads = x.clone();  // 5 of 6: the last stays as it is
  decode_head_norm(out(heads), 72, 5, 5, {data(head_weight), nullptr, 12, 1e-5f});
  const at::Tensor want =
      rms_norm_ref(exact.narrow(1, 0, 60).view({5, 5, 12}), head_weight.to(at::kDouble), 1e-5);
  EXPECT_TRUE(all_close(heads.narrow(1, 0, 60), want.view({5, 60}), 1e-6, 1e-6));
  EXPECT_TRUE(same_bits(heads.narrow(1, 60, 12), x.narrow(1, 60, 12)));
}

TEST(DecodeRows, RotationEqualsTheTrainingOp) {
  const at::Tensor x = at::randn({5, 72});
  const std::vector<int64_t> rows{0, 89, 3, 3, 41};
  for (const int64_t dim : {12, 8}) {  // whole heads, parts of heads
    const RotaryTable table = rotary_table({dim, 500.0, {}}, 90);
    const at::Tensor rotated = x.clone();
    decode_rotate(out(rotated), 72, 6, rows, {data(table.cos), data(table.sin), dim / 2, 12});
    const at::Tensor want = rotate_ref(x.view({5, 6, 12}), at::tensor(rows), table).view({5, 72});
    EXPECT_TRUE(all_close(rotated, want, 1e-6, 1e-6));
  }
}

TEST(DecodeRows, ActivationsEqualTheTrainingOp) {
  const at::Tensor gate_up = at::randn({5, 46}) * 3;
  for (const Activation activation :
       {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    const at::Tensor gated = at::empty({5, 23}), plain = at::empty({5, 46});
    decode_activate(data(gate_up), 5, 23, {activation, true}, out(gated));
    decode_activate(data(gate_up), 5, 46, {activation, false}, out(plain));
    const at::Tensor exact = gate_up.to(at::kDouble);
    EXPECT_TRUE(all_close(gated, activate_ref(exact, {activation, true}), 1e-6, 1e-6));
    EXPECT_TRUE(all_close(plain, activate_ref(exact, {activation, false}), 1e-6, 1e-6));
  }
}

TEST(DecodeRows, SumsScalesAndCaps) {
  const at::Tensor x = at::randn({3, 50}) * 40, other = at::randn({3, 50}), got = x.clone();
  decode_add(out(got), data(other), 150);
  EXPECT_TRUE(same_bits(got, x + other));
  decode_scale(out(got), 1.5f, 150);
  EXPECT_TRUE(same_bits(got, (x + other) * 1.5f));
  const at::Tensor capped = x.clone();
  decode_softcap(out(capped), 3, 50, 30.0f);
  EXPECT_TRUE(all_close(capped, (x.to(at::kDouble) / 30).tanh() * 30, 1e-6, 1e-6));
}

}  // namespace
}  // namespace plumb
