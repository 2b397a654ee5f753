// What a run will need and take, known before it starts (issue "will it fit?" of every toolkit).
// Jobs fill in shapes; the result lists memory by kind and phase, work, updates, tokens and disk.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/plan/batches.h"
#include "core/plan/memory.h"
#include "core/plan/work.h"

namespace plumb::plan {

struct Plan {
  std::string job;  // "sft"
  SharedConfig config;
  ParameterCount parameters;
  std::int64_t trained = 0;  // parameters
  std::int64_t micro_batch_tokens = 0;
  double samples = 0;
  double updates = 0;  // of ppo: iterations
  double updates_in_each = 1;
  double tokens = 0;  // through training, padding has none
  std::vector<Phase> phases;
  std::vector<WorkItem> work;
  std::vector<std::pair<std::string, double>> disk;  // bytes at the end of the run
  std::vector<std::string> notes;                    // where numbers come from

  const Phase& peak() const;
  double seconds() const;
  void set_program_bytes(double bytes);  // in every phase
};

// A table of completions before and after training.
struct SampleRoom {
  std::int64_t count = 0;
  std::int64_t prompt = 0;
  std::int64_t new_tokens = 0;
};

// pretrain, sft, reward: one model, one optimizer.
struct SupervisedShape {
  std::string job;
  SharedConfig config;
  AdapterShape adapter;    // of rank 0: all weights are trained
  bool has_score = false;  // a reward model: no vocabulary's head, and none of its weights trained
  DataShape train;
  std::optional<DataShape> held_out;
  TrainOptions options;
  Division division;
  SampleRoom samples;
};
Plan plan_supervised(const SupervisedShape& shape, const Precision& precision);

// A reward model on a base of its own.
struct OtherModel {
  SharedConfig config;
  AdapterShape adapter;
};

struct PpoShape {
  SharedConfig config;
  AdapterShape policy;
  AdapterShape critic;
  AdapterShape reference;             // of rank 0: the base alone
  std::vector<AdapterShape> rewards;  // on this base
  std::vector<OtherModel> others;
  DataShape prompts;
  std::int64_t held_out = 0;
  std::int64_t response_length = 0;
  std::int64_t samples_per_prompt = 1;
  std::int64_t decode_batch = 64;
  std::string decode_weights = "f32";  // ppo.rollout.weights
  std::int64_t epochs = 4;
  std::int64_t mini_batches = 1;
  std::int64_t kept_rollouts = 0;
  TrainOptions options;
  Division division;
};
Plan plan_ppo(const PpoShape& shape, const Precision& precision);

}  // namespace plumb::plan
