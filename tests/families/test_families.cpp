// Every family against transformers in float64, on the models that tests/oracle/make_families.py
// makes: logits, loss, gradients of all weights, greedy generation, PEFT adapters; and what we
// write of them, for that script to open again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/io/files.h"
#include "core/io/model_files.h"
#include "core/model/generate.h"
#include "core/model/tensor_files.h"
#include "lora/attach.h"
#include "lora/peft_io.h"
#include "sft/next_token_job.h"
#include "sft/token_batch.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

constexpr double kTolerance = 1e-4;  // of the largest value

std::string families_folder() {
  const char* folder = std::getenv("PLUMB_FAMILIES");
  return folder == nullptr ? "build/families" : folder;
}

std::vector<std::string> variants() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(families_folder(), missing)) {
    if (std::filesystem::exists(entry.path() / "expected.safetensors")) {
      names.push_back(entry.path().filename());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

testing::AssertionResult close_to(const at::Tensor& got, const at::Tensor& want) {
  return all_close(got, want, 0.0, kTolerance * want.abs().max().item<double>());
}

std::size_t count_linears(const ModelConfig& config) {
  std::size_t count = 0;
  for (const LayerStack& stack : layer_stacks(config)) count += stack.count * stack.sites.size();
  return count;
}

class FamilyModels : public testing::TestWithParam<std::string> {
 protected:
  std::string path(const std::string& name) const {
    return families_folder() + "/" + GetParam() + "/" + name;
  }
  PackedBatch batch() const {
    PackedBatch all =
        batch_of(expected.at("tokens"), expected.json("lengths").get<std::vector<int64_t>>());
    all.source_lengths = expected.json("sources").get<std::vector<int64_t>>();
    return all;
  }
  // Where there are states: a text-to-text model has none for most of its source.
  at::Tensor of_loss_rows(const at::Tensor& rows) const {
    return rows.index_select(0, expected.at("loss_rows"));
  }
  at::Tensor logits(const Adapter* adapter) const {
    const at::NoGradGuard no_grad;
    const PackedBatch all = batch();
    ForwardOptions options;
    if (adapter != nullptr) options.adapters = {{0, all.num_rows(), adapter}};
    return decoder.logits(decoder.hidden(all, options));
  }

  Fixture expected = read_fixture_file(path("expected.safetensors"));
  Decoder decoder = load_decoder(path("model"));
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FamilyModels);

TEST(FamilyOracles, AreThere) {
  if (variants().empty()) {
    GTEST_SKIP() << "no models in " << families_folder()
                 << ": tests/oracle/make_families.py makes them (./bootstrap.sh test)";
  }
}

TEST_P(FamilyModels, LogitsAreTransformers) {
  EXPECT_TRUE(close_to(logits(nullptr), expected.at("logits")));
}

TEST_P(FamilyModels, LossAndGradientsOfAllWeightsAreTransformers) {
  require_all_grads(decoder);
  const at::Tensor loss = cross_entropy_sum(of_loss_rows(decoder.hidden(batch())), decoder.head(),
                                            of_loss_rows(expected.at("targets")));
  EXPECT_TRUE(close_to(loss.detach(), expected.at("loss")));
  loss.backward();
  std::size_t count = 0;
  for (const FileTensor& grad : file_gradients(decoder)) {
    EXPECT_TRUE(close_to(grad.whole(), expected.at("grad." + grad.name))) << grad.name;
    ++count;
  }
  const auto wanted =
      std::count_if(expected.tensors.begin(), expected.tensors.end(),
                    [](const auto& tensor) { return tensor.first.starts_with("grad."); });
  EXPECT_EQ(count, static_cast<std::size_t>(wanted));
}

// From labels, as transformers trains: decoder_start_token_id first, every target counted.
TEST_P(FamilyModels, LossOfPromptsAndAnswersIsTransformersOfLabels) {
  if (!decoder.config.is_encoder_decoder) GTEST_SKIP() << "one stack: the test above";
  require_all_grads(decoder);
  const auto lengths = expected.json("lengths").get<std::vector<int64_t>>();
  const auto sources = expected.json("sources").get<std::vector<int64_t>>();
  std::vector<Sample> samples;
  int64_t row = 0;
  for (std::size_t b = 0; b < lengths.size(); row += lengths[b++]) {
    if (sources[b] == lengths[b]) continue;
    Sequence sequence;
    for (int64_t t = row; t < row + lengths[b]; ++t) {
      sequence.tokens.push_back(static_cast<int32_t>(expected.at("tokens")[t].item<int64_t>()));
    }
    sequence.spans = {{0, sources[b], Role::user, false},
                      {sources[b], lengths[b], Role::assistant, true}};
    samples.emplace_back().sequences = {sequence};
  }
  const LossSum sum = next_token_loss({&decoder, nullptr}, make_token_batch(samples), std::nullopt);
  EXPECT_TRUE(close_to(sum.loss.detach(), expected.at("labels_loss")));
  sum.loss.backward();
  for (const FileTensor& grad : file_gradients(decoder)) {
    EXPECT_TRUE(close_to(grad.whole(), expected.at("labels_grad." + grad.name))) << grad.name;
  }
}

TEST_P(FamilyModels, GreedyGenerationIsTransformers) {
  GenerateTask task;
  task.decoder = &decoder;
  const at::Tensor want = expected.at("greedy");
  task.sampling.temperature = 0;
  task.sampling.max_new_tokens = want.numel();
  GenerateRequest request;
  for (int64_t t = 0; t < 11; ++t) {
    request.prompt.push_back(static_cast<int32_t>(expected.at("tokens")[t].item<int64_t>()));
  }
  const auto completions = generate(task, {request, {{5, 6, 7}, 1}});
  ASSERT_EQ(completions[0].ids.size(), static_cast<std::size_t>(want.numel()));
  for (int64_t t = 0; t < want.numel(); ++t) {
    EXPECT_EQ(completions[0].ids[t], want[t].item<int64_t>()) << "token " << t;
  }
}

TEST_P(FamilyModels, PeftAdaptersComputeAndComeBackAsTheyWere) {
  const PeftAdapter peft = load_peft(path("adapter"), decoder.config);
  EXPECT_EQ(parameters(peft.adapter).size(), 2 * count_linears(decoder.config));
  EXPECT_TRUE(close_to(logits(&peft.adapter), expected.at("lora_logits")));
  save_peft(peft, decoder.config, path("adapter_saved"));
  const auto one = SafetensorsFile::open(path("adapter/adapter_model.safetensors"));
  const auto other = SafetensorsFile::open(path("adapter_saved/adapter_model.safetensors"));
  ASSERT_EQ(one.entries().size(), other.entries().size());
  for (const TensorEntry& entry : one.entries()) {
    ASSERT_NE(other.find(entry.name), nullptr) << entry.name;
    EXPECT_TRUE(same_bits(read_tensor(one, entry), read_tensor(other, *other.find(entry.name))));
  }
  merge(decoder, peft.adapter);
  EXPECT_TRUE(close_to(logits(nullptr), expected.at("lora_logits")));
  save_decoder(decoder, path("merged"));
}

TEST_P(FamilyModels, FilesComeBackAsTheyWere) {
  save_decoder(decoder, path("saved"));
  if (!decoder.config.is_encoder_decoder) {
    save_decoder(decoder, path("classifier"), SaveDtype::f32, expected.at("score"));
    EXPECT_TRUE(same_bits(load_score(path("classifier")), expected.at("score")));
  }
  const auto written = ShardedModelFiles::open(path("saved"));
  const auto published = ShardedModelFiles::open(path("model"));
  ASSERT_EQ(written.names().size(), published.names().size());
  for (const std::string& name : published.names()) {
    const auto want = published.find(name), got = written.find(name);
    ASSERT_TRUE(got) << name;
    EXPECT_TRUE(
        same_bits(read_tensor(*got->file, *got->entry), read_tensor(*want->file, *want->entry)))
        << name;
  }
  // Names without the base's, buffers that nothing reads.
  const auto old = load_decoder(path("old")).parameters(), now = decoder.parameters();
  ASSERT_EQ(old.size(), now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    EXPECT_TRUE(same_bits(old[i].tensor, now[i].tensor)) << now[i].name;
  }
  save_decoder(load_decoder(path("old")), path("old_saved"));
}

TEST_P(FamilyModels, HalvesComeBackBitForBit) {
  const auto bytes = [](const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  };
  for (const SaveDtype dtype : {SaveDtype::bf16, SaveDtype::f16}) {
    save_decoder(decoder, path("half"), dtype);
    save_decoder(load_decoder(path("half")), path("half_again"), dtype);
    EXPECT_EQ(bytes(path("half/model.safetensors")), bytes(path("half_again/model.safetensors")));
    EXPECT_EQ(bytes(path("half/config.json")), bytes(path("half_again/config.json")));
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, FamilyModels, testing::ValuesIn(variants()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace plumb
