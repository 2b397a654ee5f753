// AdamW with state in 8 bits on the CPU: codes and scales against bitsandbytes' own
// (make_bitsandbytes.py), weights against AdamW with f32 state.
#include "core/ops/adamw.h"

#include <gtest/gtest.h>

#include "core/io/json.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

template <class T>
std::vector<T> values_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<T>(), tensor.const_data_ptr<T>() + tensor.numel()};
}

// With betas of 0 the state is the gradient and its square: codes and scales of quantize_blockwise.
TEST(AdamWIn8Bits, CodesAndScalesAreBitsandbytes) {
  const Json want = read_json("tests/oracle/fixtures/bitsandbytes.json").at("eight_bit");
  const at::Tensor grad = at::tensor(want.at("values").get<std::vector<float>>(), at::kFloat);
  const AdamWSlot slot = new_adamw_slot(at::randn_like(grad), grad, /*in_8_bits=*/true);
  adamw_step({slot}, {.lr = 0.01, .beta1 = 0.0, .beta2 = 0.0});
  EXPECT_EQ(values_of<uint8_t>(slot.exp_avg), want.at("codes").get<std::vector<uint8_t>>());
  EXPECT_EQ(values_of<float>(slot.absmax_avg), want.at("absmax").get<std::vector<float>>());
  EXPECT_EQ(values_of<uint8_t>(slot.exp_avg_sq),
            want.at("square_codes").get<std::vector<uint8_t>>());
  EXPECT_EQ(values_of<float>(slot.absmax_sq), want.at("square_absmax").get<std::vector<float>>());
}

// The first update reads no state, so it is f32's; later ones are near it: the two averages are
// known to within some percent of a block's largest.
TEST(AdamWIn8Bits, FollowsAdamWWithF32State) {
  at::manual_seed(2);
  const at::Tensor start = at::randn({5, 301});
  AdamWSlot wide = new_adamw_slot(start.clone(), at::empty_like(start), /*in_8_bits=*/false);
  AdamWSlot narrow = new_adamw_slot(start.clone(), at::empty_like(start), /*in_8_bits=*/true);
  wide.weight_decay = narrow.weight_decay = 0.1;
  for (int64_t update = 1; update <= 10; ++update) {
    const at::Tensor grad = at::randn_like(start) + 0.5;
    wide.grad.copy_(grad);
    narrow.grad.copy_(grad);
    adamw_step({wide, narrow}, {.lr = 0.01, .updates = update});
    if (update == 1) {
      EXPECT_TRUE(all_close(narrow.weight, wide.weight, 1e-6, 1e-6));
    }
  }
  const double moved = (wide.weight - start).norm().item<double>();
  EXPECT_LT((narrow.weight - wide.weight).norm().item<double>(), 0.05 * moved);
}

}  // namespace
}  // namespace plumb
