// PPO's and the reward model's scalars: GAE, whitening, KL rewards, value and pair losses; f32.
#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

// States of a rollout of 64 responses of 512 tokens.
constexpr double kModelStates = 64 * 512;

KernelCase case_of(const char* kernel, int64_t states) {
  return {.kernel = kernel,
          .shape = std::to_string(states) + " states",
          .growth = kModelStates / static_cast<double>(states),
          .predicted_for = "64 x 512 states"};
}

constexpr float kGamma = 0.99f, kLambda = 0.95f;

// A_t = delta_t + gamma lambda A_{t+1}, sequences of one length side by side.
Tensors advantages(const Tensors& in, int64_t sequences) {
  const at::Tensor rewards = in[0].view({sequences, -1}), values = in[1].view({sequences, -1});
  const double gamma = kGamma, decay = gamma * double{kLambda};
  at::Tensor running = at::zeros({sequences}, rewards.options()), next = running;
  Tensors columns(static_cast<size_t>(rewards.size(1)));
  for (int64_t t = rewards.size(1) - 1; t >= 0; --t) {
    running = rewards.select(1, t) + gamma * next - values.select(1, t) + decay * running;
    next = values.select(1, t);
    columns[static_cast<size_t>(t)] = running;
  }
  const at::Tensor all = at::stack(columns, 1).view({-1});
  return {all, all + in[1]};
}

KernelCase gae(int64_t sequences, int64_t length) {
  const int64_t states = sequences * length;
  KernelCase one = case_of("gae", states);
  one.shape = by({sequences, length});
  one.inputs = {normal({states}, at::kFloat, 12), normal({states}, at::kFloat, 13),
                longs(offsets(std::vector<int64_t>(sequences, length)))};
  one.floor = bytes_of(one.inputs) + 2 * bytes_of(one.inputs[0]);
  one.aten = [sequences](const Tensors& in) { return advantages(in, sequences); };
  one.prepare = [sequences](const KernelTable& table, const Tensors& in,
                            const Place& place) -> Prepared {
    const Tensors outputs{place.empty(in[0].sizes(), at::kFloat),
                          place.empty(in[0].sizes(), at::kFloat)};
    const Gae op{.advantages = outputs[0].data_ptr<float>(),
                 .returns = outputs[1].data_ptr<float>(),
                 .rewards = in[0].data_ptr<float>(),
                 .values = in[1].data_ptr<float>(),
                 .cu_states = in[2].data_ptr<int64_t>(),
                 .sequences = sequences,
                 .gamma = kGamma,
                 .lambda = kLambda};
    return {[&table, op] { table.gae(op, nullptr); }, outputs};
  };
  return one;
}

// count, sum, sum of squares of values that are kept
at::Tensor moments_of(const at::Tensor& values, const at::Tensor& keep) {
  const at::Tensor kept = values.masked_select(keep.ne(0));
  return at::stack({at::full({}, kept.numel(), kept.options()), kept.sum(), kept.square().sum()});
}

KernelCase moments(int64_t states) {
  KernelCase one = case_of("moments", states);
  one.inputs = {normal({states}, at::kFloat, 110, 3.0) + 4.0,
                at::arange(states, at::kLong).remainder(3).ne(1).to(at::kByte)};
  one.floor = bytes_of(one.inputs) + 24;
  one.aten = [](const Tensors& in) -> Tensors { return {moments_of(in[0], in[1])}; };
  one.prepare = [states](const KernelTable& table, const Tensors& in,
                         const Place& place) -> Prepared {
    const at::Tensor sums = place.empty({kMoments}, at::kDouble),
                     partial = place.empty({moments_scratch(states)}, at::kDouble);
    const MomentSums op{.moments = sums.data_ptr<double>(),
                        .partial = partial.data_ptr<double>(),
                        .values = in[0].data_ptr<float>(),
                        .keep = in[1].data_ptr<uint8_t>(),
                        .count = states};
    return {[&table, op, partial] { table.moments(op, nullptr); }, {sums}};
  };
  return one;
}

KernelCase whiten(int64_t states) {
  KernelCase one = case_of("whiten", states);
  one.inputs = moments(states).inputs;
  one.inputs.push_back(moments_of(one.inputs[0].to(at::kDouble), one.inputs[1]));
  one.floor = 2 * bytes_of(one.inputs[0]) + bytes_of(one.inputs[1]) + 24;
  one.aten = [](const Tensors& in) -> Tensors {
    const at::Tensor keep = in[1].ne(0), kept = in[0].masked_select(keep);
    const at::Tensor white = (in[0] - kept.mean()) * (kept.var() + 1e-8).rsqrt();
    return {white.masked_fill(keep.logical_not(), 0.0)};
  };
  one.prepare = [states](const KernelTable& table, const Tensors& in,
                         const Place& place) -> Prepared {
    const at::Tensor out = place.empty({states}, at::kFloat);
    const Whiten op{.out = out.data_ptr<float>(),
                    .values = in[0].data_ptr<float>(),
                    .keep = in[1].data_ptr<uint8_t>(),
                    .moments = in[2].data_ptr<double>(),
                    .count = states};
    return {[&table, op] { table.whiten(op, nullptr); }, {out}};
  };
  return one;
}

KernelCase kl_rewards(int64_t sequences, int64_t length) {
  const int64_t states = sequences * length;
  KernelCase one = case_of("kl_rewards", states);
  one.shape = by({sequences, length});
  const at::Tensor cu = longs(offsets(std::vector<int64_t>(sequences, length)));
  one.inputs = {normal({states}, at::kFloat, 120), normal({states}, at::kFloat, 121),
                normal({sequences}, at::kFloat, 122), cu, cu.clone()};
  one.floor = bytes_of(one.inputs) + 2 * bytes_of(one.inputs[0]);
  one.aten = [sequences](const Tensors& in) -> Tensors {
    const at::Tensor r = in[1] - in[0], kl = r.expm1() - r;  // k3
    const at::Tensor rewards = (-0.2f * kl).view({sequences, -1});
    const at::Tensor last = rewards.slice(1, -1) + in[2].unsqueeze(-1);
    return {kl, at::cat({rewards.slice(1, 0, -1), last}, 1).view({-1})};
  };
  one.prepare = [sequences](const KernelTable& table, const Tensors& in,
                            const Place& place) -> Prepared {
    const Tensors outputs{place.empty(in[0].sizes(), at::kFloat),
                          place.empty(in[0].sizes(), at::kFloat)};
    const KlRewards op{.rewards = outputs[1].data_ptr<float>(),
                       .kl = outputs[0].data_ptr<float>(),
                       .logprobs = in[0].data_ptr<float>(),
                       .ref_logprobs = in[1].data_ptr<float>(),
                       .scores = in[2].data_ptr<float>(),
                       .cu_response = in[3].data_ptr<int64_t>(),
                       .cu_states = in[4].data_ptr<int64_t>(),
                       .sequences = sequences,
                       .coef = 0.2f,
                       .estimator = KlTerm::k3};
    return {[&table, op] { table.kl_rewards(op, nullptr); }, outputs};
  };
  return one;
}

constexpr float kValueClip = 0.3f;

// The loss's sum and its gradient.
Tensors value_losses(const Tensors& in) {
  const auto squares = [&](const Tensors& values) {
    const at::Tensor near =
        at::minimum(at::maximum(values[0], in[1] - kValueClip), in[1] + kValueClip);
    return (at::maximum((values[0] - in[2]).square(), (near - in[2]).square()) * 0.5).sum();
  };
  return {gradients(squares, {in[0]}, in[3].squeeze(0))[0], squares({in[0]}).view({1})};
}

KernelCase value_loss(int64_t states) {
  KernelCase one = case_of("value_loss", states);
  one.inputs = {normal({states}, at::kFloat, 130), normal({states}, at::kFloat, 131),
                normal({states}, at::kFloat, 132), at::full({1}, 0.125f)};
  one.floor = 4 * bytes_of(one.inputs[0]) + 16;
  one.aten = value_losses;
  one.prepare = [states](const KernelTable& table, const Tensors& in,
                         const Place& place) -> Prepared {
    const at::Tensor grad = place.empty({states}, at::kFloat),
                     sums = place.empty({kValueLossSums}, at::kDouble),
                     partial = place.empty({value_loss_scratch(states)}, at::kDouble);
    const ValueLoss op{.grad_values = grad.data_ptr<float>(),
                       .sums = sums.data_ptr<double>(),
                       .partial = partial.data_ptr<double>(),
                       .values = in[0].data_ptr<float>(),
                       .old_values = in[1].data_ptr<float>(),
                       .returns = in[2].data_ptr<float>(),
                       .scale = in[3].data_ptr<float>(),
                       .count = states,
                       .cliprange = kValueClip};
    return {[&table, op, partial] { table.value_loss(op, nullptr); }, {grad, sums.slice(0, 0, 1)}};
  };
  return one;
}

// Gradients of both rewards and the loss's sum.
Tensors pair_losses(const Tensors& in) {
  const auto loss = [&](const Tensors& rewards) {
    const at::Tensor gap = rewards[0] - rewards[1] - in[2];
    return (0.01f * (rewards[0] + rewards[1]).square() + at::softplus(-gap)).sum();
  };
  Tensors all = gradients(loss, {in[0], in[1]}, in[3].squeeze(0));
  all.push_back(loss(in).view({1}));
  return all;
}

KernelCase pair_loss(int64_t pairs) {
  KernelCase one = case_of("pair_loss", pairs);
  one.shape = std::to_string(pairs) + " pairs";
  one.growth = 1;
  one.predicted_for = one.shape;
  one.inputs = {normal({pairs}, at::kFloat, 140, 2.0), normal({pairs}, at::kFloat, 141, 2.0),
                normal({pairs}, at::kFloat, 142), at::full({1}, 0.25f)};
  one.floor = bytes_of(one.inputs) + 2 * bytes_of(one.inputs[0]) + 16;
  one.aten = pair_losses;
  one.prepare = [pairs](const KernelTable& table, const Tensors& in,
                        const Place& place) -> Prepared {
    const Tensors grads{place.empty({pairs}, at::kFloat), place.empty({pairs}, at::kFloat)};
    const at::Tensor sums = place.empty({kPairLossSums}, at::kDouble);
    const PairLoss op{.grad_chosen = grads[0].data_ptr<float>(),
                      .grad_rejected = grads[1].data_ptr<float>(),
                      .sums = sums.data_ptr<double>(),
                      .chosen = in[0].data_ptr<float>(),
                      .rejected = in[1].data_ptr<float>(),
                      .margin = in[2].data_ptr<float>(),
                      .scale = in[3].data_ptr<float>(),
                      .pairs = pairs,
                      .centering = 0.01f};
    return {[&table, op] { table.pair_loss(op, nullptr); },
            {grads[0], grads[1], sums.slice(0, 0, 1)}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> reward_cases(Size size) {
  std::vector<KernelCase> cases;
  const bool is_model = size == Size::model;
  for (const int64_t length : {is_model ? 512 : 128, 77}) {
    cases.push_back(gae(64, length));
    cases.push_back(kl_rewards(64, length));
  }
  for (const int64_t states : {32768, 5001}) {
    cases.push_back(moments(states));
    cases.push_back(whiten(states));
    cases.push_back(value_loss(states));
  }
  for (const int64_t pairs : {4096, 77}) {
    cases.push_back(pair_loss(pairs));
  }
  return cases;
}

}  // namespace plumb::kernels
