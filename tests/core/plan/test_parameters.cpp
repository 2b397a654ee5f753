// Counts against transformers' and PEFT's own (tests/oracle/make_plan.py).
#include "core/plan/parameters.h"

#include <gtest/gtest.h>

#include "core/io/json.h"

namespace plumb::plan {
namespace {

Json fixture() {
  return read_json("tests/oracle/fixtures/plan/parameters.json");
}

AdapterShape on_all_linears(const ModelConfig& config, std::int64_t rank) {
  return {rank, {"all-linear"}, layer_stacks(config)};
}

TEST(PlanParameters, ModelsOfEveryFamilyHaveAsManyAsInTransformers) {
  const Json all = fixture();
  for (const auto& [name, expected] : all.at("models").items()) {
    const ModelConfig config = parse_model_config(expected.at("config"), name);
    EXPECT_EQ(count_parameters(config).total(), expected.at("parameters").get<std::int64_t>())
        << name;
  }
}

TEST(PlanParameters, AdaptersHaveAsManyAsInPeft) {
  const Json all = fixture();
  const std::int64_t rank = all.at("rank");
  for (const auto& [name, expected] : all.at("models").items()) {
    const ModelConfig config = parse_model_config(expected.at("config"), name);
    EXPECT_EQ(count_parameters(on_all_linears(config, rank)),
              expected.at("lora_parameters").get<std::int64_t>())
        << name;
  }
}

TEST(PlanParameters, ProductsJoinTheLinearsThatReadTheSame) {
  const Json all = fixture();
  const ModelConfig config = parse_model_config(all.at("models").at("llama").at("config"), "llama");
  const auto products = products_of(layer_stacks(config).front());
  ASSERT_EQ(products.size(), 4u);
  EXPECT_EQ(products[0].outputs, (9 + 2 * 3) * 64);
  EXPECT_EQ(products[0].inputs, 576);
  EXPECT_EQ(products[2].outputs, 2 * 1536);
  EXPECT_EQ(products[3].inputs, 1536);
}

}  // namespace
}  // namespace plumb::plan
