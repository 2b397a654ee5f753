// Operations and times against published figures of the same model.
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/io/json.h"
#include "core/plan/device.h"
#include "core/plan/plan.h"
#include "core/plan/roofline.h"

namespace plumb::plan {
namespace {

// Llama 3 8B's shape (Llama Team 2024, table 3).
SharedConfig llama_8b() {
  ModelConfig config;
  config.vocab_size = 128256;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.num_key_value_heads = 8;
  config.max_position_embeddings = 8192;
  set_head_dim(128, config);
  return std::make_shared<const ModelConfig>(config);
}

AdapterShape all_linears(const ModelConfig& config, std::int64_t rank) {
  return {rank, {"all-linear"}, layer_stacks(config)};
}

Pass pass_of(std::int64_t rank) {
  Pass pass;
  pass.config = llama_8b();
  pass.rows = 2048;
  pass.head_rows = 2048;
  pass.length = 2048;
  pass.groups = {{2048, rank > 0 ? all_linears(*pass.config, rank) : AdapterShape{}, rank > 0}};
  return pass;
}

double flops_a_token(const Pass& pass) {
  return (total_flops(layer_gemms(pass)) + total_flops(head_gemms(pass)) + attention_flops(pass)) /
         pass.rows;
}

TEST(PlanWork, OperationsATokenAreTwiceTheParametersForward) {
  const Pass forward = pass_of(0);
  EXPECT_EQ(count_parameters(*llama_8b()).total(), 8030261248);
  const double embedding = 128256.0 * 4096;
  const double linears = total_flops(layer_gemms(forward)) + total_flops(head_gemms(forward));
  EXPECT_NEAR(linears / forward.rows, 2 * (8030261248 - embedding), 1e-3 * 2 * 8030261248);
  // A query sees half of its sequence: 4 T/2 H D L.
  EXPECT_NEAR(attention_flops(forward) / forward.rows, 4 * 1024 * 4096.0 * 32, 1);
}

TEST(PlanWork, TrainingAllWeightsCostsThreeForwardPassesAndAdaptersTwo) {
  Pass full = pass_of(0), lora = pass_of(16);
  const double forward = flops_a_token(full);
  full.has_backward = full.trains_base = lora.has_backward = true;
  EXPECT_NEAR(flops_a_token(full) / forward, 3, 0.03);
  const double adapters = 6.0 * static_cast<double>(count_parameters(lora.groups[0].adapter));
  EXPECT_NEAR((flops_a_token(lora) - adapters) / forward, 2, 0.06);
}

TEST(PlanWork, ADecodeStepOnAnH100IsItsWeightsOverTheMemorysRate) {
  const Device& h100 = find_device("cuda:h100-80g");
  WorkItem step{.kind = WorkKind::decode};
  step.decode = {llama_8b(), 1, 768, {}, false};
  const double bytes = 2 * (8030261248 - 128256.0 * 4096);
  EXPECT_NEAR(seconds_on(step, h100, gpu_precision()),
              bytes / (kMemoryShare * h100.bytes_per_second), 0.03 * 5e-3);
}

TEST(PlanWork, ASmallStepIsBoundByOperationsALargeOneByThem) {
  const Device& h100 = find_device("cuda:h100-80g");
  WorkItem item;
  item.pass = pass_of(16);
  item.pass.has_backward = true;
  const double seconds = seconds_on(item, h100, gpu_precision());
  const double floor = flops_a_token(item.pass) * item.pass.rows / (kGemmShare * h100.flops);
  EXPECT_GT(seconds, floor);
  EXPECT_LT(seconds, 1.5 * floor);
}

TEST(PlanDevices, AnUnknownOneNamesTheNearest) {
  try {
    find_device("cuda:h100-80gb");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean cuda:h100-80g?"), std::string::npos);
    EXPECT_EQ(error.code, Exit::usage);
  }
}

TEST(PlanMemory, LogitsStandInChunks) {
  const auto config = llama_8b();
  EXPECT_EQ(head_chunk_rows(*config, 100000, 4), 256);
  EXPECT_EQ(head_chunk_rows(*config, 10, 4), 10);
  Pass pass = pass_of(16);
  pass.has_backward = true;
  const PassMemory memory = pass_memory(pass, gpu_precision());
  EXPECT_LT(memory.head, 2048.0 * 128256 * 2 / 5);
}

// A second way to the same number: what an 8B LoRA step keeps, added up by hand per token and layer
// (q k v 6144, attention's output 4096, two residuals 8192, gate and up 28672).
TEST(PlanMemory, AnAdaptersStepKeepsThreeMegabytesATokenOfAnEightBillionModel) {
  Pass pass = pass_of(16);
  pass.has_backward = true;
  const double kept = 2.0 * (6144 + 4096 + 8192 + 28672) * 32;
  const double bytes = pass_memory(pass, gpu_precision()).activations / pass.rows;
  EXPECT_NEAR(bytes, kept, 0.06 * kept);
}

TEST(PlanMemory, GrowsWithRowsAndNotWithTheirDivision) {
  Pass small = pass_of(16), large = pass_of(16);
  small.has_backward = large.has_backward = true;
  large.rows = large.groups[0].rows = 4096;
  const double ratio = pass_memory(large, cpu_precision()).activations /
                       pass_memory(small, cpu_precision()).activations;
  EXPECT_NEAR(ratio, 2, 1e-9);
  large.length = 64;
  EXPECT_EQ(pass_memory(large, cpu_precision()).activations / ratio,
            pass_memory(small, cpu_precision()).activations);
}

// bitsandbytes' blocks: a byte a value, and an f32 for each 256.
TEST(PlanMemory, EightBitMomentsTakeAByteEach) {
  SupervisedShape shape;
  shape.job = "sft";
  shape.config = llama_8b();
  shape.adapter = all_linears(*shape.config, 16);
  shape.train = {.lengths = {256, 256}, .samples = 2, .how = "made up", .is_exact = true};
  shape.options.steps = 1;
  shape.division = {2, 512, 1, 0};
  const Plan f32 = plan_supervised(shape, cpu_precision());
  shape.options.optimizer.name = "adamw8";
  const Plan narrow = plan_supervised(shape, cpu_precision());
  const auto trained = static_cast<double>(f32.trained);
  EXPECT_DOUBLE_EQ(f32.peak()[Kind::optimizer], 8 * trained);
  EXPECT_DOUBLE_EQ(narrow.peak()[Kind::optimizer], 2 * trained * (1 + 4.0 / 256));
  EXPECT_LT(narrow.disk.front().second, f32.disk.front().second);
}

}  // namespace
}  // namespace plumb::plan
