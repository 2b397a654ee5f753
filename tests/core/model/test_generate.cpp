// Generation against transformers (tests/oracle/make_generate.py) and against the training forward.
#include "core/model/generate.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.h"
#include "core/io/json.h"
#include "core/model/tensor_files.h"
#include "core/ops/token_loss.h"

namespace plumb {
namespace {

const std::string kFixtures = "tests/oracle/fixtures/generate";
const std::string kStories = "../shared/models/stories260K";

const Json& expected() {
  static const Json json = read_json(kFixtures + "/expected.json");
  return json;
}

const Decoder& tiny() {
  static const Decoder decoder = load_decoder(kFixtures + "/model");
  return decoder;
}

const Adapter& tiny_adapter() {
  static const Adapter adapter = [] {
    const auto file = SafetensorsFile::open(kFixtures + "/adapter.safetensors");
    Adapter result;
    result.scale = expected()["adapter"]["scale"].get<double>();
    const std::vector<std::pair<Linear, std::string>> names = {
        {Linear::q, "q"},       {Linear::k, "k"},   {Linear::v, "v"},      {Linear::o, "o"},
        {Linear::gate, "gate"}, {Linear::up, "up"}, {Linear::down, "down"}};
    for (int64_t layer = 0; layer < tiny().config.num_hidden_layers; ++layer) {
      auto& pairs = result.layers.emplace_back();
      for (const auto& [linear, short_name] : names) {
        const std::string name = "layers." + std::to_string(layer) + "." + short_name;
        pairs[static_cast<int>(linear)] = {read_tensor(file, *file.find(name + ".a")),
                                           read_tensor(file, *file.find(name + ".b"))};
      }
    }
    return result;
  }();
  return adapter;
}

std::string word(int id) {
  std::string text("w");
  text += std::to_string(id);
  return text;
}

// Words "w0" to "w95", decoded with a space between them.
const Tokenizer& word_tokenizer() {
  static const Tokenizer tokenizer = [] {
    Json vocab = Json::object();
    for (int i = 0; i < 96; ++i) {
      vocab[word(i)] = i;
    }
    const Json json = {{"version", "1.0"},
                       {"truncation", nullptr},
                       {"padding", nullptr},
                       {"added_tokens", Json::array()},
                       {"normalizer", nullptr},
                       {"pre_tokenizer", {{"type", "Whitespace"}}},
                       {"post_processor", nullptr},
                       {"decoder", nullptr},
                       {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "w0"}}}};
    return Tokenizer::from_json(json.dump(), R"({"eos_token": "w7"})", "words");
  }();
  return tokenizer;
}

GenerateTask greedy_task(int64_t max_new_tokens) {
  GenerateTask task;
  task.decoder = &tiny();
  task.sampling.temperature = 0;
  task.sampling.max_new_tokens = max_new_tokens;
  return task;
}

std::vector<GenerateRequest> requests_of(const Json& runs) {
  std::vector<GenerateRequest> requests;
  for (const Json& run : runs) {
    requests.push_back({run["prompt"].get<std::vector<int32_t>>(), requests.size()});
  }
  return requests;
}

void expect_equal(const std::vector<Completion>& completions, const Json& runs, double tolerance) {
  ASSERT_EQ(completions.size(), runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(completions[i].ids, runs[i]["ids"].get<std::vector<int32_t>>()) << "run " << i;
    const auto logprobs = runs[i]["logprobs"].get<std::vector<float>>();
    EXPECT_THAT(completions[i].logprobs,
                testing::Pointwise(testing::FloatNear(tolerance), logprobs));
  }
}

TEST(Generate, GreedyEqualsTransformers) {
  const Json& runs = expected()["plain"]["runs"];
  for (const int64_t max_batch : {1, 3, 16}) {
    GenerateTask task = greedy_task(48);
    task.max_batch = max_batch;
    const auto completions = generate(task, requests_of(runs));
    expect_equal(completions, runs, 1e-4);
    EXPECT_EQ(completions[0].finish, Finish::length);
  }
}

TEST(Generate, GreedyWithAnAdapterEqualsPeft) {
  const Json& runs = expected()["adapter"]["runs"];
  GenerateTask task = greedy_task(48);
  task.adapter = &tiny_adapter();
  expect_equal(generate(task, requests_of(runs)), runs, 1e-4);
}

TEST(Generate, RepetitionPenaltyEqualsTransformers) {
  const Json& penalty = expected()["penalty"];
  GenerateTask task = greedy_task(48);
  task.sampling.repetition_penalty = penalty["repetition_penalty"].get<double>();
  expect_equal(generate(task, requests_of(penalty["runs"])), penalty["runs"], 1e-4);
}

TEST(Generate, ASetOfEosIdsEndsACompletionAsInTransformers) {
  for (const char* name : {"eos", "min_new", "min_new_exact"}) {
    const Json& json = expected()[name];
    GenerateTask task = greedy_task(48);
    task.eos_ids = json["eos_ids"].get<std::set<int32_t>>();
    task.sampling.min_new_tokens = json.value("min_new_tokens", 0);
    const auto completions = generate(task, requests_of(json["runs"]));
    expect_equal(completions, json["runs"], 1e-4);
    for (const Completion& completion : completions) {
      const bool at_eos = task.eos_ids.contains(completion.ids.back());
      EXPECT_EQ(completion.finish, at_eos ? Finish::eos : Finish::length);
    }
  }
}

TEST(Generate, TellsTheStoryOfTransformers) {
  if (!std::filesystem::exists(kStories)) {
    GTEST_SKIP() << kStories << " is missing";
  }
  const Json& story = expected()["stories260K"];
  const Decoder decoder = load_decoder(kStories);
  const Tokenizer tokenizer = Tokenizer::load(kStories);
  GenerateTask task = greedy_task(200);
  task.decoder = &decoder;
  task.eos_ids = eos_ids_of(kStories, decoder.config, tokenizer);
  EXPECT_EQ(task.eos_ids, std::set<int32_t>{2});
  const auto completions = generate(task, requests_of(Json::array({story})));
  expect_equal(completions, Json::array({story}), 1e-4);
  EXPECT_EQ(tokenizer.decode(completions[0].ids), story["text"].get<std::string>());
}

// Prompts of many lengths, repeated ones and common beginnings, completions of many lengths.
std::vector<GenerateRequest> mixed_requests() {
  std::vector<GenerateRequest> requests;
  for (uint64_t i = 0; i < 40; ++i) {
    std::vector<int32_t> prompt = {1};
    const int length = i % 5 == 4 ? 60 : static_cast<int>(i * 7 % 30);
    for (int k = 0; k < length; ++k) {
      prompt.push_back(3 + (i % 5 == 4 ? k * 5 : k * static_cast<int>(i + 1)) % 90);
    }
    if (i % 10 == 9) {
      prompt.push_back(static_cast<int32_t>(10 + i));
    }
    requests.push_back({prompt, 1000 + i});
  }
  return requests;
}

GenerateTask sampled_task(const Adapter* adapter, int64_t max_batch) {
  GenerateTask task;
  task.decoder = &tiny();
  task.adapter = adapter;
  task.eos_ids = {20, 30, 40};
  task.seed = 5;
  task.max_batch = max_batch;
  task.sampling.max_new_tokens = 40;
  task.sampling.temperature = 1.3;
  return task;
}

void expect_same(const std::vector<Completion>& a, const std::vector<Completion>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].ids, b[i].ids) << "request " << i;
    EXPECT_EQ(a[i].logprobs, b[i].logprobs) << "request " << i;  // to the bit
    EXPECT_EQ(a[i].finish, b[i].finish);
  }
}

TEST(Generate, ACompletionDoesNotDependOnItsBatch) {
  const auto requests = mixed_requests();
  for (const Adapter* adapter : {static_cast<const Adapter*>(nullptr), &tiny_adapter()}) {
    const auto alone = generate(sampled_task(adapter, 1), requests);
    std::set<std::size_t> lengths;
    for (const Completion& completion : alone) {
      lengths.insert(completion.ids.size());
    }
    EXPECT_GT(lengths.size(), 8u);  // or nobody leaves before the others
    for (const int64_t max_batch : {3, 16, 64}) {
      expect_same(generate(sampled_task(adapter, max_batch), requests), alone);
    }
    const std::vector<GenerateRequest> backwards(requests.rbegin(), requests.rend());
    auto reversed = generate(sampled_task(adapter, 16), backwards);
    std::reverse(reversed.begin(), reversed.end());
    expect_same(reversed, alone);
  }
}

TEST(Generate, FilteredSamplesDoNotDependOnTheirBatch) {
  const auto requests = mixed_requests();
  const auto run = [&requests](int64_t max_batch) {
    GenerateTask task = sampled_task(nullptr, max_batch);
    task.sampling.top_k = 30;
    task.sampling.top_p = 0.9;
    task.sampling.min_p = 0.01;
    task.sampling.repetition_penalty = 1.1;
    task.sampling.min_new_tokens = 4;
    return generate(task, requests);
  };
  const auto alone = run(1);
  expect_same(run(3), alone);
  expect_same(run(16), alone);
}

TEST(Generate, SampleIdAndSeedKeyTheDraws) {
  GenerateTask task = sampled_task(nullptr, 16);
  task.eos_ids.clear();
  const std::vector<int32_t> prompt = {1, 5, 9};
  const auto first = generate(task, {{prompt, 1}, {prompt, 2}, {prompt, 1}});
  EXPECT_EQ(first[0].ids, first[2].ids);
  EXPECT_NE(first[0].ids, first[1].ids);
  task.seed = 6;
  EXPECT_NE(generate(task, {{prompt, 1}})[0].ids, first[0].ids);
}

// The sampler's log-probabilities are those of the training forward (DESIGN.md 4).
TEST(Generate, LogprobsEqualTheTrainingForward) {
  const auto requests = mixed_requests();
  for (const Adapter* adapter : {static_cast<const Adapter*>(nullptr), &tiny_adapter()}) {
    GenerateTask task = sampled_task(adapter, 16);
    task.sampling.temperature = 0.7;
    const auto completions = generate(task, requests);
    std::vector<std::vector<int32_t>> sequences;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      sequences.push_back(requests[i].prompt);
      sequences.back().insert(sequences.back().end(), completions[i].ids.begin(),
                              completions[i].ids.end());
    }
    const PackedBatch batch = pack(sequences);
    ForwardOptions options;
    if (adapter != nullptr) {
      options.adapters = {{0, batch.num_rows(), adapter}};
    }
    const at::Tensor hidden = tiny().hidden(batch, options);
    const at::Tensor targets = at::roll(batch.tokens, -1);
    const at::Tensor logprobs = token_stats(hidden, tiny().head(), targets, 0.7).logprobs;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const int64_t first = batch.cu_seqlens[i] + std::ssize(requests[i].prompt) - 1;
      for (std::size_t g = 0; g < completions[i].ids.size(); ++g) {
        EXPECT_NEAR(completions[i].logprobs[g], logprobs[first + g].item<float>(), 1e-4);
      }
    }
  }
}

// The decoder with every product and the head as `weights` widens them. Its embedding stays.
Decoder widened(const Decoder& decoder, DecodeWeights& weights) {
  const auto wide = [&weights](const at::Tensor& tensor) {
    const DecodeWeight narrow = weights.get(tensor, {});
    const at::Tensor eye = at::eye(tensor.size(1));
    const at::Tensor columns = at::empty({tensor.size(1), tensor.size(0)});
    decode_linear(eye.const_data_ptr<float>(), tensor.size(1), narrow, {},
                  {.y = columns.mutable_data_ptr<float>(), .y_stride = tensor.size(0)});
    return columns.t().contiguous();
  };
  Decoder result = decoder;
  for (LayerWeights& layer : result.weights.layers) {
    for (ProductWeights* product : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) {
      product->weight = wide(product->weight);
    }
  }
  result.weights.lm_head = wide(result.weights.lm_head);
  return result;
}

TEST(Generate, NarrowWeightsGenerateAsTheWidenedModel) {
  const auto requests = mixed_requests();
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8}) {
    const auto weights = std::make_shared<DecodeWeights>(format);
    weights->prepare(tiny());
    const Decoder wide = widened(tiny(), *weights);
    for (const Adapter* adapter : {static_cast<const Adapter*>(nullptr), &tiny_adapter()}) {
      GenerateTask task = sampled_task(adapter, 16);
      const auto in_f32 = generate(task, requests);
      task.decoder = &wide;
      const auto of_widened = generate(task, requests);
      task.decoder = &tiny();
      task.weights = weights;
      const auto narrow = generate(task, requests);
      expect_same(narrow, of_widened);
      task.max_batch = 3;
      expect_same(generate(task, requests), narrow);
      double gap = 0;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        gap = std::max<double>(gap, std::abs(narrow[i].logprobs[0] - in_f32[i].logprobs[0]));
      }
      EXPECT_GT(gap, 1e-4);  // or the narrow weights were not read
    }
  }
}

TEST(Generate, StopStringsAreKeptWithTheTokenThatCompletesThem) {
  const Json& run = expected()["plain"]["runs"][3];
  const auto ids = run["ids"].get<std::vector<int32_t>>();
  GenerateTask task = greedy_task(48);
  task.tokenizer = &word_tokenizer();
  task.sampling.stop = {"never", word(ids[5]) + " " + word(ids[6])};
  const auto completions = generate(task, requests_of(Json::array({run})));
  EXPECT_EQ(completions[0].finish, Finish::stop_string);
  EXPECT_EQ(completions[0].ids, std::vector<int32_t>(ids.begin(), ids.begin() + 7));
  // Within a token, and across a space: "w66 w78" holds "6 w7".
  task.sampling.stop = {word(ids[8]).substr(2) + " " + word(ids[9]).substr(0, 2)};
  EXPECT_EQ(generate(task, requests_of(Json::array({run})))[0].ids.size(), 10u);
}

TEST(Generate, StopsAtThePositionsOfTheModel) {
  GenerateTask task = greedy_task(48);
  const std::vector<int32_t> prompt(250, 5);
  const auto completions = generate(task, {{prompt, 0}});
  EXPECT_EQ(completions[0].ids.size(), 6u);
  EXPECT_EQ(completions[0].finish, Finish::length);
}

TEST(Generate, OnTokenSeesEveryTokenAndCanStopEverything) {
  const auto requests = mixed_requests();
  std::map<std::size_t, std::vector<int32_t>> seen;
  GenerateTask task = sampled_task(nullptr, 3);
  task.on_token = [&seen](std::size_t request, int32_t id) {
    seen[request].push_back(id);
    return true;
  };
  const auto all = generate(task, requests);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(seen[i], all[i].ids);
  }
  int calls = 0;
  task.on_token = [&calls](std::size_t, int32_t) { return ++calls < 20; };
  const auto stopped = generate(task, requests);
  EXPECT_EQ(calls, 20);
  std::size_t generated = 0;
  for (std::size_t i = 0; i < stopped.size(); ++i) {
    generated += stopped[i].ids.size();
    EXPECT_TRUE(std::equal(stopped[i].ids.begin(), stopped[i].ids.end(), all[i].ids.begin()));
  }
  EXPECT_EQ(generated, 20u);
}

TEST(Generate, ThreadsDoNotChangeBits) {
  const int before = at::get_num_threads();
  const auto requests = mixed_requests();
  at::set_num_threads(1);
  const auto one = generate(sampled_task(&tiny_adapter(), 16), requests);
  at::set_num_threads(2);
  expect_same(generate(sampled_task(&tiny_adapter(), 16), requests), one);
  at::set_num_threads(before);
}

TEST(Generate, NoRequestsNoCompletions) {
  EXPECT_TRUE(generate(greedy_task(4), {}).empty());
}

std::string error_of(const GenerateTask& task, const std::vector<GenerateRequest>& requests,
                     Exit exit) {
  try {
    generate(task, requests);
  } catch (const Error& error) {
    EXPECT_EQ(error.code, exit) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Generate, RefusesWhatItCannotDo) {
  using testing::HasSubstr;
  GenerateTask task = greedy_task(4);
  EXPECT_THAT(error_of(task, {{{}, 7}}, Exit::bad_input), HasSubstr("sample 7"));
  EXPECT_THAT(error_of(task, {{{1, 96}, 7}}, Exit::bad_input), HasSubstr("prompt token 96"));
  EXPECT_THAT(error_of(task, {{{-1}, 7}}, Exit::bad_input), HasSubstr("prompt token -1"));
  EXPECT_THAT(error_of(task, {{std::vector<int32_t>(256, 1), 7}}, Exit::bad_input),
              HasSubstr("max_position_embeddings (256)"));
  task.sampling.stop = {"x"};
  EXPECT_THAT(error_of(task, {{{1}, 7}}, Exit::usage), HasSubstr("tokenizer"));
  task = greedy_task(4);
  task.max_batch = 0;
  EXPECT_THAT(error_of(task, {{{1}, 7}}, Exit::usage), HasSubstr("max_batch"));
  Adapter short_adapter = tiny_adapter();
  short_adapter.layers.pop_back();
  task = greedy_task(4);
  task.adapter = &short_adapter;
  EXPECT_THAT(error_of(task, {{{1}, 7}}, Exit::bad_input), HasSubstr("layers"));
}

TEST(Generate, NamesTheSampleWhoseLogitsAreNotFinite) {
  Decoder broken = tiny();
  broken.weights.lm_head = broken.weights.lm_head.clone();
  broken.weights.lm_head[50][3] = NAN;
  GenerateTask task = greedy_task(4);
  task.decoder = &broken;
  const std::string message = error_of(task, {{{1, 2, 3}, 42}}, Exit::non_finite);
  EXPECT_THAT(message, testing::HasSubstr("sample 42, position 3"));
}

TEST(EosIds, AreThoseOfAllFilesTogether) {
  ModelConfig config = tiny().config;
  config.eos_token_ids = {11, 12};
  EXPECT_EQ(eos_ids_of(kFixtures + "/model", config, word_tokenizer()),
            (std::set<int32_t>{2, 7, 11, 12}));
}

}  // namespace
}  // namespace plumb
