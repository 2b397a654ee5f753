// What a run computes, as passes of kinds that a machine can be timed on: forward and backward of a
// micro-batch, steps of decoding, sweeps over the optimizer's memory.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/plan/parameters.h"

namespace plumb::plan {

using SharedConfig = std::shared_ptr<const ModelConfig>;

// Rows of a pass that go through an adapter; a rank of 0 is the base alone.
struct RowGroup {
  double rows = 0;
  AdapterShape adapter;
  bool is_trained = false;
};

// A micro-batch through the model and, where `head_rows` is not 0, its vocabulary's head.
struct Pass {
  SharedConfig config;
  double rows = 0;         // N, of all groups
  double source_rows = 0;  // of these, what a text-to-text model's encoder reads
  double head_rows = 0;    // M
  double length = 0;       // T: tokens of a sequence, the mean over rows
  std::vector<RowGroup> groups;
  bool has_backward = false;
  bool trains_base = false;
};

// A step in which `rows` sequences get a token each, `context` tokens in; or `rows` tokens of
// prompts, which need no logits.
struct Decode {
  SharedConfig config;
  double rows = 0;
  double context = 0;
  AdapterShape adapter;
  bool is_prompt = false;
  std::string weights = "f32";  // as ppo.rollout.weights
};

enum class WorkKind { pass, decode, sweep };

struct WorkItem {
  std::string phase = {};  // "training", "optimizer", "rollout"
  WorkKind kind = WorkKind::pass;
  double times = 0;  // over the whole run
  Pass pass = {};
  Decode decode = {};
  double bytes = 0;    // kind sweep: read and written, once
  double seconds = 0;  // of one of them; a machine fills it in (roofline.h, or a calibration)
};

// One matrix product, 2 M N K operations, `count` times.
struct Gemm {
  double m = 0, n = 0, k = 0;
  double count = 0;

  double flops() const { return 2 * m * n * k * count; }
  double elements() const { return (m * n + m * k + n * k) * count; }
};

// The products of a pass: of layers (base and adapters) and, last, of the head.
std::vector<Gemm> layer_gemms(const Pass& pass);
std::vector<Gemm> head_gemms(const Pass& pass);
// Attention's operations: two products over the pairs that a query sees, five on the way back.
double attention_flops(const Pass& pass);
// Values that the operations between the products read and write.
double streamed_values(const Pass& pass);

std::vector<Gemm> decode_gemms(const Decode& decode);
// Keys and values that a step's attention reads.
double cache_values(const Decode& decode);

double total_flops(const std::vector<Gemm>& gemms);

}  // namespace plumb::plan
