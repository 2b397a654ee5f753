// Making, saving and loading decoders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_files.h"
#include "core/model/tensor_files.h"
#include "tests/core/model/decoder_cases.h"
#include "tests/support/allclose.h"

namespace plumb {
namespace {

using namespace test;

class ModelFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "plumb_model_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    files::remove_tree(folder_);
    files::create_directories(folder_);
  }
  void TearDown() override { files::remove_tree(folder_); }

  // The folder's weights written anew, after `change`.
  void rewrite(const std::function<void(std::vector<TensorSource>&)>& change) {
    const Decoder decoder = load_decoder(folder_);
    const std::vector<FileTensor> tensors = file_tensors(decoder.weights, decoder.config);
    std::vector<TensorSource> sources;
    for (const FileTensor& tensor : tensors) {
      sources.push_back(tensor_source({tensor.name, tensor.whole()}));
    }
    change(sources);
    write_sharded(folder_, sources);
  }

  std::string load_error() const {
    try {
      load_decoder(folder_);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::string folder_;
};

void expect_same(const Decoder& got, const Decoder& want, at::ScalarType through) {
  const auto wanted = want.parameters(), found = got.parameters();
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].name, wanted[i].name);
    EXPECT_TRUE(same_bits(found[i].tensor, wanted[i].tensor.to(through).to(at::kFloat)))
        << found[i].name;
  }
}

TEST_F(ModelFolder, ComesBackInEveryTypeWithAndWithoutTie) {
  for (const bool tied : {false, true}) {
    ModelConfig config = small_config();
    config.tie_word_embeddings = tied;
    const Decoder decoder = create_decoder(config, 3);
    for (const auto& [dtype, scalar] :
         {std::pair{SaveDtype::f32, at::kFloat}, std::pair{SaveDtype::bf16, at::kBFloat16},
          std::pair{SaveDtype::f16, at::kHalf}}) {
      save_decoder(decoder, folder_, dtype);
      const Decoder loaded = load_decoder(folder_);
      expect_same(loaded, decoder, scalar);
      EXPECT_EQ(loaded.weights.lm_head.is_same(loaded.weights.embed_tokens), tied);
    }
  }
}

TEST_F(ModelFolder, ShardsAreOneModel) {
  const Decoder decoder = create_decoder(small_config(), 3);
  save_decoder(decoder, folder_);
  std::vector<TensorSource> sources;
  for (const FileTensor& tensor : file_tensors(decoder.weights, decoder.config)) {
    sources.push_back(tensor_source({tensor.name, tensor.whole()}));
  }
  std::filesystem::remove(folder_ + "/model.safetensors");
  write_sharded(folder_, sources, 10000);
  ASSERT_TRUE(std::filesystem::exists(folder_ + "/model.safetensors.index.json"));
  expect_same(load_decoder(folder_), decoder, at::kFloat);
}

TEST_F(ModelFolder, ErrorsNameTensorAndShapes) {
  save_decoder(create_decoder(small_config(), 3), folder_);
  std::string folder_after = folder_;
  rewrite([](auto& sources) { sources.erase(sources.begin() + 1); });
  EXPECT_THAT(load_error(),
              testing::AllOf(testing::HasSubstr(folder_),
                             testing::HasSubstr("layers.0.self_attn.q_proj.weight"),
                             testing::HasSubstr("missing"), testing::HasSubstr("(32, 24)")));

  save_decoder(create_decoder(small_config(), 3), folder_);
  rewrite([](auto& sources) {
    sources.push_back(sources[1]);
    sources.back().name = "model.layers.0.self_attn.q_norm.weight";
  });
  EXPECT_THAT(load_error(),
              testing::HasSubstr("unexpected tensor model.layers.0.self_attn.q_norm"));

  save_decoder(create_decoder(small_config(), 3), folder_);
  rewrite([](auto& sources) { sources[1].shape = {24, 32}; });
  EXPECT_THAT(load_error(), testing::AllOf(testing::HasSubstr("layers.0.self_attn.q_proj.weight"),
                                           testing::HasSubstr("has shape (24, 32)"),
                                           testing::HasSubstr("asks for (32, 24)")));
}

// As transformers 5.23 decides (tie_weights).
TEST_F(ModelFolder, FilesDecideWhetherTheHeadIsTied) {
  ModelConfig config = small_config();
  config.tie_word_embeddings = true;
  const auto is_tied = [&] {
    const Decoder decoder = load_decoder(folder_);
    const bool tied = decoder.weights.lm_head.is_same(decoder.weights.embed_tokens);
    EXPECT_EQ(decoder.config.tie_word_embeddings, tied);
    return tied;
  };
  const Decoder decoder = create_decoder(config, 3);
  save_decoder(decoder, folder_);
  EXPECT_TRUE(is_tied());
  rewrite([](auto& sources) {  // the same values twice
    sources.push_back(sources[0]);
    sources.back().name = "lm_head.weight";
  });
  EXPECT_TRUE(is_tied());
  rewrite(
      [](auto& sources) { sources[0].name = "lm_head.weight"; });  // under the head's name alone
  EXPECT_TRUE(is_tied());
  EXPECT_TRUE(same_bits(load_decoder(folder_).weights.embed_tokens, decoder.weights.embed_tokens));
  const at::Tensor other = at::ones({50, 24});
  rewrite([&](auto& sources) { sources.push_back(tensor_source({"lm_head.weight", other})); });
  EXPECT_FALSE(is_tied());
  EXPECT_TRUE(same_bits(load_decoder(folder_).weights.lm_head, other));

  config.tie_word_embeddings = false;
  save_decoder(create_decoder(config, 3), folder_);
  EXPECT_FALSE(is_tied());
  rewrite([](auto& sources) { sources.pop_back(); });
  EXPECT_TRUE(is_tied());
}

// LlamaModel.save_pretrained and GPT-2 as published leave out the base's name.
TEST_F(ModelFolder, NamesOfABareModelAreRead) {
  const Decoder decoder = create_decoder(small_config(), 3);
  save_decoder(decoder, folder_);
  rewrite([](auto& sources) {
    for (TensorSource& source : sources) {
      if (source.name.starts_with("model.")) source.name = source.name.substr(6);
    }
  });
  expect_same(load_decoder(folder_), decoder, at::kFloat);
}

TEST_F(ModelFolder, F16RefusesWhatItCannotHold) {
  const Decoder decoder = create_decoder(small_config(), 3);
  decoder.weights.layers[0].o.weight.fill_(1e6);
  EXPECT_THROW(save_decoder(decoder, folder_, SaveDtype::f16), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/model.safetensors"));
}

TEST(CreateDecoder, DrawsWhatItSays) {
  ModelConfig config = small_config();
  config.vocab_size = 2000;
  config.hidden_size = 64;
  config.initializer_range = 0.02;
  const Decoder decoder = create_decoder(config, 5);
  const auto deviation = [](const at::Tensor& x) { return x.std().item<double>(); };
  EXPECT_NEAR(deviation(decoder.weights.embed_tokens), 0.02, 2e-4);
  EXPECT_NEAR(decoder.weights.embed_tokens.mean().item<double>(), 0.0, 2e-4);
  EXPECT_NEAR(deviation(decoder.weights.layers[0].o.weight), 0.02 / std::sqrt(4.0), 6e-4);
  EXPECT_NEAR(deviation(decoder.weights.layers[1].down.weight), 0.02 / std::sqrt(4.0), 8e-4);
  EXPECT_TRUE(decoder.weights.final_norm.weight.equal(at::ones({64})));
  // Kurtosis of a normal is 3, of a uniform 1.8.
  const at::Tensor z = decoder.weights.embed_tokens / 0.02;
  EXPECT_NEAR(z.pow(4).mean().item<double>(), 3.0, 0.1);
}

TEST(CreateDecoder, SeedAndNameMakeTheDraws) {
  const Decoder one = create_decoder(small_config(), 5), same = create_decoder(small_config(), 5),
                other = create_decoder(small_config(), 6);
  expect_same(one, same, at::kFloat);
  EXPECT_FALSE(one.weights.embed_tokens.equal(other.weights.embed_tokens));
  EXPECT_FALSE(one.weights.embed_tokens.equal(one.weights.lm_head));
  EXPECT_FALSE(one.weights.layers[0].o.weight.equal(one.weights.layers[1].o.weight));
  // A tied model has the same backbone.
  ModelConfig tied = small_config();
  tied.tie_word_embeddings = true;
  EXPECT_TRUE(create_decoder(tied, 5).weights.layers[1].down.weight.equal(
      one.weights.layers[1].down.weight));
}

}  // namespace
}  // namespace plumb
