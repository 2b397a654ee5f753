// The head over chunks of tokens: statistics, cross-entropy, any gradient, PPO's policy loss.
#include "bench/kernels/kernel_case.h"

namespace plumb::kernels {
namespace {

struct Shape {
  int64_t rows, vocab;
};
// The vocabularies of SmolLM2 and of Llama 3, cut where noted by their size; an odd one.
constexpr Shape kShapes[] = {{4, 4096}, {2, 49152}, {1, 128256}, {4, 5003}};
constexpr float kScale = 0.125f;

KernelCase case_of(const char* kernel, const Shape& shape, at::ScalarType dtype, double passes) {
  KernelCase one{.kernel = kernel,
                 .shape = by({shape.rows, shape.vocab}),
                 .dtype = dtype,
                 .growth = 2048.0 / static_cast<double>(shape.rows),
                 .predicted_for = "a chunk of 2048 tokens"};
  one.inputs = {normal({shape.rows, shape.vocab}, dtype, 9, 2.0),
                at::arange(shape.rows, at::kLong).mul(31).add(5).remainder(shape.vocab)};
  one.floor = passes * bytes_of(one.inputs[0]) + static_cast<double>(shape.rows * 16);
  return one;
}

struct Stats {
  at::Tensor logprobs, entropy;
};
Stats stats_of(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor log_p = at::log_softmax(widened(logits), -1);
  return {log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1), -(log_p.exp() * log_p).sum(-1)};
}

// Results every kernel writes beside the gradient.
struct Results {
  at::Tensor logprobs, entropy;
  Results(const Tensors& in, const Place& place)
      : logprobs(place.empty({in[0].size(0)}, at::kFloat)),
        entropy(place.empty({in[0].size(0)}, at::kFloat)) {}
  HeadRows rows(const Tensors& in) const {
    return {.logits = in[0].data_ptr(),
            .targets = in[1].data_ptr<int64_t>(),
            .logprobs = logprobs.data_ptr<float>(),
            .entropy = entropy.data_ptr<float>(),
            .rows = in[0].size(0),
            .vocab = in[0].size(1),
            .row_stride = in[0].size(1),
            .dtype = kernel_dtype_of(in[0])};
  }
};

KernelCase stats(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("head_stats", shape, dtype, 1);
  one.aten = [](const Tensors& in) -> Tensors {
    const Stats token = stats_of(in[0], in[1]);
    return {token.logprobs, token.entropy};
  };
  one.prepare = [](const KernelTable& table, const Tensors& in, const Place& place) -> Prepared {
    const Results results(in, place);
    return {[&table, results, rows = results.rows(in)] { table.head_stats(rows, nullptr); },
            {results.logprobs, results.entropy}};
  };
  return one;
}

using Loss = std::function<at::Tensor(const Stats&, const Tensors&)>;

// Gradient over the logits of a sum over tokens.
std::function<Tensors(const Tensors&)> gradient_of(const Loss& loss) {
  return [loss](const Tensors& in) -> Tensors {
    const auto f = [&](const Tensors& logits) {
      return loss(stats_of(logits[0], in[1]), in).sum();
    };
    return {gradients(f, {in[0]},
                      at::ones({}, in[0].options().dtype(widened(in[0]).scalar_type())))[0]};
  };
}

KernelCase cross_entropy(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("cross_entropy", shape, dtype, 2);
  one.inputs.push_back(at::full({1}, kScale));
  one.aten =
      gradient_of([](const Stats& token, const Tensors& in) { return -token.logprobs * in[2]; });
  one.prepare = [](const KernelTable& table, const Tensors& in, const Place& place) -> Prepared {
    const Results results(in, place);
    return {[&table, results, rows = results.rows(in), scale = in[2]] {
              table.cross_entropy(rows, scale.data_ptr<float>(), nullptr);
            },
            {in[0]}};
  };
  return one;
}

KernelCase head_gradient(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("head_gradient", shape, dtype, 2);
  one.inputs.push_back(normal({shape.rows}, at::kFloat, 10));
  one.inputs.push_back(normal({shape.rows}, at::kFloat, 11));
  one.aten = gradient_of([](const Stats& token, const Tensors& in) {
    return token.logprobs * in[2] + token.entropy * in[3];
  });
  one.prepare = [](const KernelTable& table, const Tensors& in, const Place& place) -> Prepared {
    const Results results(in, place);
    const HeadGradient grad{in[2].data_ptr<float>(), in[3].data_ptr<float>()};
    return {[&table, results, rows = results.rows(in), grad] {
              table.head_gradient(rows, grad, nullptr);
            },
            {in[0]}};
  };
  return one;
}

constexpr float kClip = 0.2f, kKl = 0.3f, kEntropy = 0.2f;

// Schulman et al. 2017, eq. 7, negated, with KL (k3) and entropy terms.
at::Tensor policy_loss(const Stats& token, const Tensors& in) {
  const at::Tensor ratio = (token.logprobs - in[2]).exp(), advantage = in[3];
  const at::Tensor surrogate =
      at::maximum(-advantage * ratio, -advantage * ratio.clamp(1.0 - kClip, 1.0 + kClip));
  const at::Tensor r = in[4] - token.logprobs;
  return (surrogate + kKl * (r.exp() - 1 - r) - kEntropy * token.entropy) * in[5];
}

KernelCase policy_head(const Shape& shape, at::ScalarType dtype) {
  KernelCase one = case_of("policy_head", shape, dtype, 2);
  const at::Tensor logprobs = stats_of(one.inputs[0].to(at::kDouble), one.inputs[1]).logprobs;
  const at::Tensor gaps = at::arange(shape.rows, at::kDouble).remainder(4) * 0.3 - 0.35;
  one.inputs.push_back((logprobs + gaps).to(at::kFloat));
  one.inputs.push_back(normal({shape.rows}, at::kFloat, 12) + 0.1);
  one.inputs.push_back((logprobs - 0.3).to(at::kFloat));
  one.inputs.push_back(at::full({1}, kScale));
  one.aten = gradient_of(policy_loss);
  one.prepare = [](const KernelTable& table, const Tensors& in, const Place& place) -> Prepared {
    const Results results(in, place);
    const PolicyLossRows loss{.old_logprobs = in[2].data_ptr<float>(),
                              .advantages = in[3].data_ptr<float>(),
                              .ref_logprobs = in[4].data_ptr<float>(),
                              .scale = in[5].data_ptr<float>(),
                              .cliprange = kClip,
                              .entropy_coef = kEntropy,
                              .kl_coef = kKl,
                              .kl = KlTerm::k3};
    return {[&table, results, rows = results.rows(in), loss] {
              table.policy_head(rows, loss, nullptr);
            },
            {in[0]}};
  };
  return one;
}

}  // namespace

std::vector<KernelCase> head_cases(Size size) {
  std::vector<KernelCase> cases;
  for (const at::ScalarType dtype : kDtypes) {
    for (Shape shape : kShapes) {
      shape.rows = size == Size::model ? 2048 : shape.rows;
      cases.push_back(stats(shape, dtype));
      cases.push_back(cross_entropy(shape, dtype));
      cases.push_back(head_gradient(shape, dtype));
      cases.push_back(policy_head(shape, dtype));
    }
  }
  return cases;
}

}  // namespace plumb::kernels
