#include "core/model/decoder.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "core/ops/token_loss.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

// transformers and PEFT on small random models (tests/oracle/make_decoder.py). float64 agrees to
// the last digits of f32 angles; float32 may err a few times what the reference's own float32 does.
constexpr double kDouble = 1e-10;
constexpr double kTimesReference = 4.0;

double allowed(const Fixture& fixture, const std::string& name, at::ScalarType type) {
  const double own = fixture.json("errors").at(name).get<double>();
  return type == at::kDouble ? kDouble : kTimesReference * own + 1e-7;
}

std::vector<int64_t> lengths_of(const Fixture& fixture) {
  return fixture.json("lengths").get<std::vector<int64_t>>();
}

class DecoderOracle : public testing::TestWithParam<std::tuple<const char*, at::ScalarType>> {};

TEST_P(DecoderOracle, LogitsLossAndAllGradientsMatchTransformers) {
  const auto [name, type] = GetParam();
  const Fixture fixture = read_fixture(name);
  const Decoder decoder = decoder_of(fixture, type);
  require_all_grads(decoder);
  const PackedBatch batch = batch_of(fixture.at("tokens"), lengths_of(fixture));

  const at::Tensor hidden = decoder.hidden(batch);
  EXPECT_TRUE(all_close(decoder.logits(hidden), fixture.at("logits"), 0.0,
                        allowed(fixture, "logits", type)));
  const at::Tensor loss = cross_entropy_sum(hidden, decoder.head(), fixture.at("targets"));
  EXPECT_TRUE(all_close(loss, fixture.at("loss"), 1e-7, allowed(fixture, "loss", type)));
  loss.backward();
  for (const FileTensor& grad : file_gradients(decoder)) {
    SCOPED_TRACE(grad.name);
    EXPECT_TRUE(all_close(grad.whole(), fixture.at("grad." + grad.name), 0.0,
                          allowed(fixture, "grad." + grad.name, type)));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderOracle,
                         testing::Combine(testing::Values("decoder_untied", "decoder_tied"),
                                          testing::Values(at::kFloat, at::kDouble)),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param)) + "_" +
                                  c10::toString(std::get<1>(tested.param));
                         });

const std::vector<std::pair<Linear, const char*>>& peft_names() {
  static const std::vector<std::pair<Linear, const char*>> names{
      {Linear::q, "self_attn.q_proj"}, {Linear::k, "self_attn.k_proj"},
      {Linear::v, "self_attn.v_proj"}, {Linear::o, "self_attn.o_proj"},
      {Linear::gate, "mlp.gate_proj"}, {Linear::up, "mlp.up_proj"},
      {Linear::down, "mlp.down_proj"}};
  return names;
}

std::string peft_name(std::size_t layer, const char* linear, const char* part) {
  return "layers." + std::to_string(layer) + "." + linear + ".lora_" + part;
}

Adapter adapter_of(const Fixture& fixture, int64_t num_layers, at::ScalarType type) {
  Adapter adapter;
  adapter.scale = fixture.json("scale").get<double>();
  adapter.layers.resize(num_layers);
  for (std::size_t layer = 0; layer < adapter.layers.size(); ++layer) {
    for (const auto& [linear, name] : peft_names()) {
      const auto weight = [&](const char* part) {
        return fixture.at("weight." + peft_name(layer, name, part))
            .to(type)
            .clone()
            .set_requires_grad(true);
      };
      adapter.layers[layer][static_cast<int>(linear)] = {weight("A"), weight("B")};
    }
  }
  return adapter;
}

class LoraOracle : public testing::TestWithParam<at::ScalarType> {};

TEST_P(LoraOracle, LogitsAndGradientsMatchPeft) {
  const at::ScalarType type = GetParam();
  const Fixture base = read_fixture("decoder_untied");
  const Fixture fixture = read_fixture("decoder_lora");
  const Decoder decoder = decoder_of(base, type);
  const Adapter adapter = adapter_of(fixture, decoder.config.num_hidden_layers, type);
  const PackedBatch batch = batch_of(base.at("tokens"), lengths_of(base));

  const at::Tensor hidden = decoder.hidden(batch, {{{0, batch.num_rows(), &adapter}}, {}});
  EXPECT_TRUE(all_close(decoder.logits(hidden), fixture.at("logits"), 0.0,
                        allowed(fixture, "logits", type)));
  const at::Tensor loss = cross_entropy_sum(hidden, decoder.head(), base.at("targets"));
  EXPECT_TRUE(all_close(loss, fixture.at("loss"), 1e-7, allowed(fixture, "loss", type)));
  loss.backward();
  for (std::size_t layer = 0; layer < adapter.layers.size(); ++layer) {
    for (const auto& [linear, name] : peft_names()) {
      const LowRank& low_rank = adapter.at(static_cast<int64_t>(layer), linear);
      for (const auto& [tensor, part] : {std::pair{low_rank.a, "A"}, std::pair{low_rank.b, "B"}}) {
        const std::string grad = "grad." + peft_name(layer, name, part);
        SCOPED_TRACE(grad);
        EXPECT_TRUE(all_close(tensor.grad(), fixture.at(grad), 0.0, allowed(fixture, grad, type)));
      }
    }
  }
  for (const NamedTensor& parameter : decoder.parameters()) {
    EXPECT_FALSE(parameter.tensor.grad().defined()) << parameter.name << " is frozen";
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LoraOracle, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& tested) { return c10::toString(tested.param); });

TEST(Decoder, Stories260KLogitsMatchTransformersAtEveryPosition) {
  const std::string folder = "../shared/models/stories260K";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << folder << " is not here";
  }
  const Fixture fixture = read_fixture("decoder_stories260K");
  const Decoder decoder = load_decoder(folder);
  const PackedBatch batch = batch_of(fixture.at("tokens"), {fixture.at("tokens").size(0)});
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(all_close(decoder.logits(decoder.hidden(batch)), fixture.at("logits"), 0.0, 1e-4));
}

// Rows of a sequence alone and among others: GEMM with another number of rows gives other bits,
// not other values.
TEST(Decoder, ASequenceDoesNotDependOnWhatItIsPackedWith) {
  ModelConfig config = small_config();
  config.initializer_range = 0.1;
  const Decoder decoder = create_decoder(config, 1);
  const Adapter adapter = random_adapter(config, all_linears(), 3, 2, at::kFloat);
  const at::NoGradGuard no_grad;
  std::vector<std::vector<int32_t>> sequences;
  for (int length : {5, 1, 40, 17, 3, 100, 2}) {
    std::vector<int32_t> sequence;
    for (int t = 0; t < length; ++t) {
      sequence.push_back((t * 7 + length * 3) % 50);
    }
    sequences.push_back(sequence);
  }
  const PackedBatch all = pack(sequences);
  const at::Tensor together = decoder.hidden(all, {{{0, all.num_rows(), &adapter}}, {}});
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const PackedBatch one = pack({sequences[b]});
    const at::Tensor alone = decoder.hidden(one, {{{0, one.num_rows(), &adapter}}, {}});
    EXPECT_TRUE(all_close(together.narrow(0, all.cu_seqlens[b], one.num_rows()), alone, 0.0, 1e-5))
        << "sequence " << b;
  }
}

TEST(Decoder, RowGroupsGoThroughTheirOwnAdapters) {
  const ModelConfig config = small_config();
  Decoder decoder = create_decoder(config, 1);
  to_type(decoder, at::kDouble);
  const Adapter first = random_adapter(config, all_linears(), 3, 2, at::kDouble);
  const Adapter second = random_adapter(config, {Linear::v, Linear::down}, 5, 3, at::kDouble);
  const PackedBatch batch = pack({{1, 2, 3, 4}, {5, 6}});
  const PackedBatch three = repeat(batch, 3);
  const int64_t n = batch.num_rows();
  const at::NoGradGuard no_grad;
  const at::Tensor hidden = decoder.hidden(three, {{{0, n, &first}, {2 * n, 3 * n, &second}}, {}});
  EXPECT_TRUE(
      all_close(hidden.narrow(0, 0, n), decoder.hidden(batch, {{{0, n, &first}}, {}}), 0.0, 1e-12));
  EXPECT_TRUE(all_close(hidden.narrow(0, n, n), decoder.hidden(batch), 0.0, 1e-12));
  EXPECT_TRUE(all_close(hidden.narrow(0, 2 * n, n), decoder.hidden(batch, {{{0, n, &second}}, {}}),
                        0.0, 1e-12));
  EXPECT_GT(max_difference(hidden.narrow(0, 0, n), hidden.narrow(0, n, n)), 1e-3);
}

TEST(Decoder, RepeatsItsBitsOnTheSameThreads) {
  const Decoder decoder = create_decoder(small_config(), 1);
  const Adapter adapter = random_adapter(decoder.config, all_linears(), 3, 2, at::kFloat);
  std::vector<std::vector<int32_t>> sequences(6, std::vector<int32_t>(60, 7));
  const PackedBatch batch = pack(sequences);
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    for (const auto& layer : adapter.layers) {
      layer[0].a.mutable_grad().reset();
    }
    decoder.hidden(batch, {{{0, batch.num_rows(), &adapter}}, {}}).square().sum().backward();
    return adapter.layers[0][0].a.grad().clone();
  };
  const int before = at::get_num_threads();
  const at::Tensor one = run(1);
  const at::Tensor two = run(2);
  at::set_num_threads(before);
  EXPECT_TRUE(same_bits(run(before), run(before)));
  EXPECT_TRUE(all_close(one, two, 1e-4, 1e-5));
}

// Draws of dropout are keyed by (seed, step): a step repeats its own, the next has others, and
// without a key (evaluation, generation) there are none.
TEST(Decoder, DropoutFollowsSeedAndStep) {
  const Decoder decoder = create_decoder(small_config(), 1);
  Adapter adapter = random_adapter(decoder.config, all_linears(), 3, 2, at::kFloat);
  const PackedBatch batch = pack({{1, 2, 3, 4}, {5, 6}});
  const at::NoGradGuard no_grad;
  const auto run = [&](std::optional<DropoutKey> key) {
    return decoder.hidden(batch, {{{0, batch.num_rows(), &adapter}}, key});
  };
  const at::Tensor plain = run(std::nullopt);
  EXPECT_TRUE(same_bits(run(DropoutKey{1, 1}), plain));  // this adapter drops nothing
  adapter.dropout = 0.3;
  EXPECT_TRUE(same_bits(run(std::nullopt), plain));
  const at::Tensor first = run(DropoutKey{1, 1});
  EXPECT_TRUE(same_bits(run(DropoutKey{1, 1}), first));
  EXPECT_GT(max_difference(first, plain), 1e-3);
  EXPECT_GT(max_difference(first, run(DropoutKey{1, 2})), 1e-3);
  EXPECT_GT(max_difference(first, run(DropoutKey{2, 1})), 1e-3);
}

TEST(Decoder, RefusesWhatItCannotRun) {
  const Decoder decoder = create_decoder(small_config(), 1);
  const auto message = [&](const PackedBatch& batch, const ForwardOptions& options = {}) {
    try {
      decoder.hidden(batch, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message(pack({{1, 50}})), testing::HasSubstr("token ids must lie in [0, 50)"));
  EXPECT_THAT(message(pack({std::vector<int32_t>(129, 1)})),
              testing::HasSubstr("positions must lie in [0, 128)"));
  EXPECT_THROW(pack({{1}, {}}), Error);
  const Adapter adapter = random_adapter(decoder.config, all_linears(), 2, 1, at::kFloat);
  EXPECT_THAT(message(pack({{1, 2, 3}}), {{{0, 2, &adapter}, {1, 3, &adapter}}, {}}),
              testing::HasSubstr("overlap"));
  EXPECT_THAT(message(pack({{1, 2, 3}}), {{{0, 4, &adapter}}, {}}),
              testing::HasSubstr("leave the batch of 3 rows"));
  Adapter short_adapter = adapter;
  short_adapter.layers.pop_back();
  EXPECT_THAT(message(pack({{1, 2, 3}}), {{{0, 3, &short_adapter}}, {}}),
              testing::HasSubstr("another base"));
}

TEST(Decoder, NamesEveryWeightOnce) {
  ModelConfig config = small_config();
  config.tie_word_embeddings = true;
  EXPECT_EQ(create_decoder(config, 1).parameters().size(), 2u + 2 * 6);
  config.tie_word_embeddings = false;
  config.has_qkv_bias = true;
  const auto parameters = create_decoder(config, 1).parameters();
  ASSERT_EQ(parameters.size(), 3u + 2 * 7);
  EXPECT_EQ(parameters[1].name, "layers.0.attention_norm.weight");
  EXPECT_EQ(parameters.back().name, "lm_head");
}

}  // namespace
}  // namespace plumb
