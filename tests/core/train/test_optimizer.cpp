#include "core/train/optimizer.h"

#include <ATen/Parallel.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/io/json.h"

namespace plumb {
namespace {

at::Tensor tensor_of(const Json& values, const Json& shape) {
  return at::tensor(values.get<std::vector<double>>(), at::kDouble)
      .to(at::kFloat)
      .reshape(shape.get<std::vector<int64_t>>());
}

struct Trajectory {
  Json fixture = read_json("tests/oracle/fixtures/adamw.json");
  OptimizerOptions options;
  std::vector<NamedTensor> parameters;

  Trajectory() {
    const Json& given = fixture.at("options");
    options.beta1 = given.at("beta1");
    options.beta2 = given.at("beta2");
    options.eps = given.at("eps");
    options.weight_decay = given.at("weight_decay");
    options.max_grad_norm = given.at("max_grad_norm");
    for (const char* name : {"matrix", "vector"}) {
      parameters.push_back(
          {name, tensor_of(fixture.at("start").at(name), fixture.at("shapes").at(name))});
    }
  }

  void update(AdamW& optimizer, const Json& step) const {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = parameters[i].name;
      optimizer.gradients().views()[i].copy_(
          tensor_of(step.at("gradients").at(name), fixture.at("shapes").at(name)));
    }
    const double norm = optimizer.clip_and_norm(options.max_grad_norm);
    EXPECT_NEAR(norm, step.at("norm").get<double>(), 1e-6 * norm);
    optimizer.step(step.at("lr"));
  }
};

TEST(AdamW, FollowsTorchInFloat64) {
  Trajectory t;
  AdamW optimizer(t.parameters, t.options);
  int64_t update = 0;
  for (const Json& step : t.fixture.at("steps")) {
    t.update(optimizer, step);
    ++update;
    for (const auto& [name, tensor] : t.parameters) {
      const at::Tensor expected = tensor_of(step.at(name), t.fixture.at("shapes").at(name));
      // Values are of size 1 and each update rounds once: an ulp an update.
      const double error = (tensor.detach() - expected).abs().max().item<double>();
      EXPECT_LT(error, 2.4e-7 * static_cast<double>(update)) << name << " update " << update;
    }
  }
}

TEST(AdamW, GoesOnFromItsState) {
  Trajectory whole, split;
  AdamW straight(whole.parameters, whole.options);
  AdamW first(split.parameters, split.options);
  const Json& steps = whole.fixture.at("steps");
  for (const Json& step : steps) whole.update(straight, step);

  for (int i = 0; i < 4; ++i) split.update(first, steps[i]);
  std::vector<NamedTensor> kept;
  for (const auto& [name, tensor] : first.state()) kept.push_back({name, tensor.clone()});
  AdamW second(split.parameters, split.options);
  second.load_state(kept);
  EXPECT_EQ(second.updates(), 4);
  for (std::size_t i = 4; i < steps.size(); ++i) split.update(second, steps[i]);

  for (std::size_t i = 0; i < whole.parameters.size(); ++i) {
    EXPECT_TRUE(at::equal(whole.parameters[i].tensor, split.parameters[i].tensor));
  }
}

TEST(AdamW, RefusesTheStateOfAnother) {
  AdamW one({{"a", at::zeros({2, 3})}}, {});
  AdamW other({{"a", at::zeros({3, 2})}}, {});
  AdamW renamed({{"b", at::zeros({2, 3})}}, {});
  const auto message_of = [&](AdamW& from) -> std::string {
    try {
      one.load_state(from.state());
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message_of(other), testing::HasSubstr("'a.exp_avg' must be (2, 3), got (3, 2)"));
  EXPECT_THAT(message_of(renamed), testing::HasSubstr("lacks the tensor 'a.exp_avg'"));
}

TEST(Gradients, NormIsTheSameForAnyNumberOfThreads) {
  at::manual_seed(3);
  AdamW optimizer({{"a", at::zeros({301, 1033})}, {"b", at::zeros({7})}}, {});
  for (const auto& view : optimizer.gradients().views()) view.normal_();
  const double expected = [&] {
    double sum = 0;
    for (const auto& view : optimizer.gradients().views()) {
      sum += view.to(at::kDouble).square().sum().item<double>();
    }
    return std::sqrt(sum);
  }();
  const int threads = at::get_num_threads();
  const double norm = optimizer.gradients().norm();
  at::set_num_threads(threads == 1 ? 2 : 1);
  EXPECT_EQ(norm, optimizer.gradients().norm());
  at::set_num_threads(threads);
  EXPECT_NEAR(norm, expected, 1e-12 * expected);
}

TEST(Gradients, NamesWhatIsNotFiniteAndWhatIsZero) {
  AdamW optimizer({{"a", at::zeros({3})}, {"b", at::zeros({3})}}, {});
  auto& gradients = optimizer.gradients();
  EXPECT_THAT(gradients.all_zero(), testing::ElementsAre("a", "b"));
  gradients.views()[1][2] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(gradients.first_non_finite(), "b");
  EXPECT_FALSE(std::isfinite(optimizer.clip_and_norm(1.0)));
  EXPECT_THAT(gradients.all_zero(), testing::ElementsAre("a"));
}

TEST(Gradients, AutogradAddsIntoTheFlatBuffer) {
  const at::Tensor weight = at::ones({2, 2});
  AdamW optimizer({{"w", weight}}, {});
  for (int i = 0; i < 2; ++i) (weight * 3).sum().backward();
  EXPECT_TRUE(at::equal(optimizer.gradients().views()[0], at::full({2, 2}, 6.0)));
  EXPECT_EQ(weight.grad().data_ptr(), optimizer.gradients().flat().data_ptr());
}

TEST(Gradients, RefusesWhatIsNotF32) {
  EXPECT_THROW(AdamW({{"half", at::zeros({2}, at::kHalf)}}, {}), Error);
}

}  // namespace
}  // namespace plumb
