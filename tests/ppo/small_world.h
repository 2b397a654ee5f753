// A PPO run small enough for a test: a random two-layer model over 24 words, prompts of two words,
// and a reward for a word that appears.
#pragma once
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/data/store.h"
#include "core/io/model_config.h"
#include "lora/attach.h"
#include "ppo/ppo_trainer.h"

namespace plumb::test {

constexpr int64_t kVocab = 24;

// A folder that goes with the test.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            (std::string("plumb_") + test->test_suite_name() + "_" + test->name() + "_" +
             std::to_string(getpid()));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string made(const std::string& name) const {
    std::filesystem::create_directories(path_ / name);
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

inline Tokenizer word_tokenizer() {
  Json vocab = Json::object();
  for (int64_t i = 0; i < kVocab; ++i) vocab["w" + std::to_string(i)] = i;
  const Json json = {{"version", "1.0"},
                     {"added_tokens", Json::array()},
                     {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
                     {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "w0"}}}};
  return Tokenizer::from_json(json.dump(), "", "word_tokenizer");
}

inline ModelConfig small_config() {
  return parse_model_config({{"model_type", "llama"},
                             {"architectures", {"LlamaForCausalLM"}},
                             {"vocab_size", kVocab},
                             {"hidden_size", 32},
                             {"intermediate_size", 48},
                             {"num_hidden_layers", 2},
                             {"num_attention_heads", 4},
                             {"num_key_value_heads", 2},
                             {"max_position_embeddings", 64},
                             {"rms_norm_eps", 1e-5},
                             {"tie_word_embeddings", true},
                             {"initializer_range", 0.2}},
                            "small_config");
}

inline std::shared_ptr<const Store> prompt_store(const std::string& path, int64_t count) {
  write_store(path, "key", SampleKind::prompt, [&](const AddSample& add) {
    for (int64_t i = 0; i < count; ++i) {
      Sample sample;
      sample.row = i;
      sample.sequences = {{{static_cast<int32_t>(2 + i % 7), static_cast<int32_t>(3 + i % 5)},
                           {{0, 2, Role::user, false}}}};
      sample.answer = "w7";
      add(sample);
    }
    Accounting accounting;
    accounting.rows_read = accounting.rows_used = accounting.samples = count;
    return accounting;
  });
  return std::make_shared<const Store>(Store::open(path, "key"));
}

inline Dataset dataset(std::shared_ptr<const Store> store, int64_t begin, int64_t end) {
  std::vector<int64_t> samples;
  for (int64_t i = begin; i < end; ++i) samples.push_back(i);
  return Dataset(std::move(store), std::move(samples));
}

// All that a run needs, owned.
struct SmallWorld {
  explicit SmallWorld(const std::string& store_path)
      : decoder(create_decoder(small_config(), 1)),
        tokenizer(word_tokenizer()),
        policy(make_adapter(decoder.config, {.rank = 4, .alpha = 8}, 2)),
        critic(make_adapter(decoder.config, {.rank = 4, .alpha = 8}, 3)),
        head(at::zeros({1, decoder.config.hidden_size})),
        store(prompt_store(store_path, 20)),
        prompts(dataset(store, 0, 16)),
        held_out(dataset(store, 16, 20)) {
    at::set_num_threads(1);  // so little work that threads would only wait for one another
    job.models = {&decoder, &policy, nullptr, &critic, head, &tokenizer, {1}};
    job.prompts = &prompts;
    job.seed = 5;
    job.train.batch_size = 16;
    job.train.steps = 3;
    job.train.optimizer.lr = 1e-2;
    job.train.schedule.schedule = "constant";
    job.ppo.num_mini_batches = 2;
    job.ppo.rollout.response_length = 8;
    job.ppo.rollout.temperature = 0.9;
    RewardTerm term;
    term.kind = "word";
    term.word = "w7";
    job.terms = {text_term(term)};
  }
  SmallWorld(const SmallWorld&) = delete;

  std::vector<NamedTensor> trained() const {
    std::vector<NamedTensor> tensors = parameters(policy);
    for (const NamedTensor& tensor : parameters(critic)) {
      tensors.push_back({"critic." + tensor.name, tensor.tensor});
    }
    tensors.push_back({"score", head});
    return tensors;
  }

  Decoder decoder;
  Tokenizer tokenizer;
  Adapter policy, critic;
  at::Tensor head;
  std::shared_ptr<const Store> store;
  Dataset prompts, held_out;
  PpoJob job;
};

// One rank, quiet.
struct SmallRun {
  explicit SmallRun(SmallWorld& world, RunLog log, std::string folder = "")
      : comm(Comm::create(RankEnv{})),
        run_log(std::move(log)),
        progress("ppo", world.job.train.steps, ProgressStyle::quiet),
        context{*comm, run_log, progress, std::move(folder), "recipe: 1\n", {}},
        trainer(world.job, context) {
    context.state.seed = world.job.seed;
  }

  std::unique_ptr<Comm> comm;
  RunLog run_log;
  Progress progress;
  RunContext context;
  PpoTrainer trainer;
};

inline double value_of(const Metrics& metrics, const std::string& name) {
  for (const auto& [key, value] : metrics) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

inline std::vector<Json> read_rows(const std::string& path) {
  std::vector<Json> rows;
  std::string text = files::read_file(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    rows.push_back(parse_json(text.substr(begin, end - begin), path));
    begin = end + 1;
  }
  return rows;
}

}  // namespace plumb::test
