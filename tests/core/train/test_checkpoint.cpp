#include "core/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/error.h"
#include "tests/core/train/temporary_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

Checkpoint example(int64_t step) {
  Checkpoint checkpoint;
  checkpoint.state.step = step;
  checkpoint.state.samples_seen = 32 * step;
  checkpoint.state.seed = 0xFFFF'FFFF'FFFF'FFF1u;
  checkpoint.state.logs = {10, 20, 30};
  checkpoint.state.identity = {"GenuineIntel AVX2", 2, 1, "0123abcd"};
  checkpoint.state.extra["kl"]["coef"] = 0.1 + 0.2;
  const double value = static_cast<double>(step);
  checkpoint.tensors = {{"layers.0.q.a", at::full({2, 3}, value)},
                        {"layers.0.q.b", at::zeros({3})}};
  checkpoint.optimizer = {{"layers.0.q.a.exp_avg", at::full({2, 3}, 0.5)},
                          {"updates", at::full({1}, step, at::kLong)}};
  checkpoint.recipe = "train:\n  batch_size: 32\n  log_every: 1\nout: a\n";
  return checkpoint;
}

struct Saved {
  TemporaryFolder folder;
  std::unique_ptr<Comm> comm = Comm::create(RankEnv{});

  void save(const Checkpoint& checkpoint, int64_t keep = 2) {
    save_checkpoint(folder.path(), checkpoint, keep, *comm);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder / "checkpoints")) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void flip_byte(const std::string& path, std::size_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 0x04);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

TEST(Checkpoint, ReadsBackWhatWasSaved) {
  Saved saved;
  saved.save(example(120));
  const auto folder = latest_checkpoint(saved.folder.path());
  ASSERT_TRUE(folder);
  EXPECT_THAT(*folder, EndsWith("checkpoints/step-00000120"));
  const Checkpoint read = load_checkpoint(*folder), written = example(120);
  EXPECT_EQ(read.state.step, 120);
  EXPECT_EQ(read.state.seed, written.state.seed);
  EXPECT_EQ(read.state.logs.samples, 30u);
  EXPECT_EQ(read.state.extra, written.state.extra);
  EXPECT_EQ(read.recipe, written.recipe);
  const auto expect_same = [](std::vector<NamedTensor> a, const std::vector<NamedTensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : b) {
      const auto found = std::find_if(a.begin(), a.end(),
                                      [&, n = name](const NamedTensor& t) { return t.name == n; });
      ASSERT_NE(found, a.end()) << name;
      EXPECT_TRUE(at::equal(found->tensor, tensor)) << name;
    }
  };
  expect_same(read.tensors, written.tensors);
  expect_same(read.optimizer, written.optimizer);
}

TEST(Checkpoint, NoneInANewFolder) {
  TemporaryFolder folder;
  EXPECT_FALSE(latest_checkpoint(folder.path()));
}

TEST(Checkpoint, KeepsTheNewest) {
  Saved saved;
  for (const int64_t step : {10, 20, 30, 40}) saved.save(example(step), 2);
  EXPECT_THAT(saved.names(), testing::ElementsAre("step-00000030", "step-00000040"));
}

TEST(Checkpoint, EveryFlippedByteIsFound) {
  for (const char* file : {"tensors.safetensors", "optimizer.safetensors", "state.json",
                           "recipe.yaml", "manifest.json"}) {
    Saved saved;
    saved.save(example(1));
    const std::string folder = *latest_checkpoint(saved.folder.path());
    const std::string path = folder + "/" + file;
    const std::string bytes = files::read_file(path);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      flip_byte(path, at);
      EXPECT_THAT(message_of([&] { load_checkpoint(folder); }), HasSubstr(file)) << at;
      flip_byte(path, at);
    }
    EXPECT_EQ(message_of([&] { load_checkpoint(folder); }), "no error");
  }
}

TEST(Checkpoint, NamesTheDamagedTensor) {
  Saved saved;
  saved.save(example(1));
  const std::string path = saved.folder / "checkpoints/step-00000001/tensors.safetensors";
  flip_byte(path, files::read_file(path).size() - 1);  // in the last tensor
  EXPECT_THAT(message_of([&] { latest_checkpoint(saved.folder.path()); }),
              HasSubstr("tensor 'layers.0.q.b' does not match its hash"));
}

TEST(Checkpoint, DamageIsRefusedUnlessToldToFallBack) {
  Saved saved;
  saved.save(example(1));
  saved.save(example(2));
  fs::resize_file(saved.folder / "checkpoints/step-00000002/optimizer.safetensors", 100);
  EXPECT_THROW(latest_checkpoint(saved.folder.path()), Error);
  const auto older = latest_checkpoint(saved.folder.path(), Damaged::fall_back);
  ASSERT_TRUE(older);
  EXPECT_THAT(*older, EndsWith("step-00000001"));
}

TEST(Checkpoint, AHalfRemovedOneDoesNotCount) {
  Saved saved;
  saved.save(example(1));
  saved.save(example(2));
  fs::remove(saved.folder / "checkpoints/step-00000002/manifest.json");
  EXPECT_THAT(*latest_checkpoint(saved.folder.path()), EndsWith("step-00000001"));
  saved.save(example(2));  // takes its place
  EXPECT_THAT(*latest_checkpoint(saved.folder.path()), EndsWith("step-00000002"));
}

TEST(Checkpoint, AFailedSaveRemovesNothing) {
  Saved saved;
  saved.save(example(1), 1);
  Checkpoint bad = example(2);
  bad.optimizer[0].tensor[0][1] = std::nan("");
  const std::string message = message_of([&] { saved.save(bad, 1); });
  EXPECT_THAT(message, HasSubstr("'layers.0.q.a.exp_avg' holds NaN"));
  EXPECT_THAT(saved.names(), testing::ElementsAre("step-00000001"));
}

// A child saves over and over; wherever it is killed, the newest checkpoint is whole.
TEST(Checkpoint, SurvivesAKillAtAnyMoment) {
  for (int trial = 0; trial < 20; ++trial) {
    Saved saved;
    saved.save(example(1));
    const pid_t child = fork();
    if (child == 0) {
      for (int64_t step = 2;; ++step) saved.save(example(step));
    }
    usleep(static_cast<useconds_t>(1000 + 2700 * trial));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto folder = latest_checkpoint(saved.folder.path());
    ASSERT_TRUE(folder);
    const Checkpoint read = load_checkpoint(*folder);
    EXPECT_EQ(read.tensors[0].tensor[0][0].item<float>(), static_cast<float>(read.state.step));
    saved.save(example(read.state.step + 1));  // and the run goes on
  }
}

TEST(Resume, ListsWhatDiffers) {
  Checkpoint checkpoint = example(5);
  const RunIdentity same = checkpoint.state.identity;
  // What is only shown or kept may change.
  const std::string quieter = "train:\n  batch_size: 32\n  log_every: 9\nout: b\n";
  EXPECT_EQ(message_of([&] { check_resumable(checkpoint, quieter, same); }), "no error");

  RunIdentity other = same;
  other.threads = 4;
  other.plan_hash = "ffff";
  const std::string message = message_of([&] {
    check_resumable(checkpoint, "train:\n  batch_size: 64\n  log_every: 1\nseed: 3\n", other);
  });
  EXPECT_THAT(message, HasSubstr("train.batch_size: 32 in the checkpoint, 64 now"));
  EXPECT_THAT(message, HasSubstr("seed: absent in the checkpoint, 3 now"));
  EXPECT_THAT(message, HasSubstr("threads: 2 in the checkpoint, 4 now"));
  EXPECT_THAT(message, HasSubstr("data and batch plan: 0123abcd in the checkpoint, ffff now"));
  EXPECT_THAT(message, testing::Not(HasSubstr("log_every")));
}

}  // namespace
}  // namespace plumb
