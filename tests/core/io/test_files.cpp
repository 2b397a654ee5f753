#include "core/io/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/core/io/faults.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

void write_in_three_pieces(const files::Sink& sink) {
  sink("new ");
  sink("");
  sink("content");
}

TEST(Publish, ReplacesTheFileWhole) {
  TempFolder folder;
  folder.put("file", "old");
  files::publish(folder.at("file"), write_in_three_pieces);
  EXPECT_EQ(TempFolder::get(folder.at("file")), "new content");
  EXPECT_THAT(folder.names(), ElementsAre("file"));
}

TEST(Publish, TakesItsModeFromTheUmask) {
  TempFolder folder;
  const mode_t before = ::umask(027);
  files::publish(folder.at("file"), "x");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(folder.at("file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, mode_t{0640});
}

TEST(Publish, SyncsTheFileAndItsFolder) {
  TempFolder folder;
  FaultyFiles faults({});
  files::publish(folder.at("file"), "x");
  EXPECT_EQ(FaultyFiles::fsyncs(), 2);
}

TEST(Publish, WhatTheWriterThrowsComesThroughAndNothingIsLeft) {
  TempFolder folder;
  folder.put("file", "old");
  EXPECT_THROW(files::publish(folder.at("file"),
                              [](const files::Sink& sink) {
                                sink("half");
                                throw std::runtime_error("writer");
                              }),
               std::runtime_error);
  EXPECT_EQ(TempFolder::get(folder.at("file")), "old");
  EXPECT_THAT(folder.names(), ElementsAre("file"));
}

TEST(Publish, RefusesAFolderAndAMissingParent) {
  TempFolder folder;
  EXPECT_THAT(error_of([&] { files::publish(folder.path(), "x"); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { files::publish(folder.at("none/file"), "x"); }),
              HasSubstr("No such file"));
}

// The I/O-error loop of SQLite's tests: fail the n-th call, n = 1, 2, ... until none fails.
// After each failure the old content stands or, once the rename is done, the new; nothing between.
void fail_each_call(const FaultPlan& kind, const std::function<void(const std::string&)>& write) {
  int failures = 0;
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100);
    TempFolder folder;
    folder.put("file", "old");
    FaultPlan plan = kind;
    plan.fail_at = n;
    std::string error;
    bool was_hit = false;
    {
      FaultyFiles faults(plan);
      error = error_of([&] { write(folder.at("file")); });
      was_hit = FaultyFiles::was_hit();
    }
    const std::string content = TempFolder::get(folder.at("file"));
    if (error.empty()) {
      EXPECT_EQ(content, "new content") << "call " << n;
    } else {
      ++failures;
      EXPECT_THAT(error, HasSubstr(folder.path())) << "call " << n;
      EXPECT_TRUE(content == "old" || content == "new content") << "call " << n << ": " << content;
    }
    EXPECT_THAT(folder.names(), ElementsAre("file")) << "call " << n;
    if (!was_hit) break;
  }
  const bool must_fail = kind.fault == Fault::error;
  EXPECT_EQ(failures > 0, must_fail);
}

void publish_new(const std::string& path) {
  files::publish(path, write_in_three_pieces);
}

void publish_new_path(const std::string& path) {
  files::publish_path(
      path, [](const std::string& temporary) { std::ofstream(temporary) << "new content"; });
}

TEST(Publish, SurvivesTheFailureOfAnyCall) {
  for (const int error_number : {EIO, ENOSPC, EDQUOT, EAGAIN}) {
    for (const bool is_sticky : {false, true}) {
      const FaultPlan plan{.is_sticky = is_sticky, .error_number = error_number};
      fail_each_call(plan, publish_new);
      fail_each_call(plan, publish_new_path);
    }
  }
}

TEST(Publish, FinishesShortAndInterruptedWrites) {
  fail_each_call({.is_sticky = true, .fault = Fault::short_write}, publish_new);
  fail_each_call({.fault = Fault::short_write}, publish_new);
  fail_each_call({.fault = Fault::interrupted}, publish_new);
}

TEST(Publish, BeforeTheRenameTheOldFileStands) {
  TempFolder folder;
  folder.put("file", "old");
  // open, write, write, fsync: the fourth call is the first sync.
  FaultyFiles faults({.fail_at = 4});
  EXPECT_THAT(error_of([&] { publish_new(folder.at("file")); }), HasSubstr("fsync failed"));
  EXPECT_EQ(FaultyFiles::fsyncs(), 1) << "a failed fsync must not be tried again";
  EXPECT_EQ(TempFolder::get(folder.at("file")), "old");
}

TEST(Publish, AFullDiskIsReportedWithNeededAndFreeBytes) {
  TempFolder folder;
  FaultyFiles faults({.fail_at = 2, .error_number = ENOSPC});
  EXPECT_THAT(error_of([&] { files::publish(folder.at("file"), "12345"); }),
              testing::AllOf(HasSubstr("No space left"), HasSubstr("5 bytes still to write"),
                             HasSubstr("free in '" + folder.path() + "'")));
}

// Without the shim: the kernel itself refuses to let a file grow.
TEST(Publish, AFileSizeLimitLeavesTheOldFile) {
  TempFolder folder;
  folder.put("file", "old");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error =
        error_of([&] { files::publish(folder.at("file"), std::string(100'000, 'x')); });
    ::_exit(error.find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(TempFolder::get(folder.at("file")), "old");
  EXPECT_THAT(folder.names(), ElementsAre("file"));
}

TEST(PublishDirectory, AppearsWholeOrNotAtAll) {
  TempFolder folder;
  const auto fill = [](const std::string& temporary) {
    files::publish(temporary + "/a", "1");
    files::create_directories(temporary + "/deep");
    files::publish(temporary + "/deep/b", "2");
  };
  int failures = 0;
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100);
    std::string error;
    bool was_hit = false;
    {
      FaultyFiles faults({.fail_at = n});
      error = error_of([&] { files::publish_directory(folder.at("out/"), fill); });
      was_hit = FaultyFiles::was_hit();
    }
    failures += error.empty() ? 0 : 1;
    if (fs::exists(folder.at("out"))) {
      EXPECT_EQ(TempFolder::get(folder.at("out/a")), "1");
      EXPECT_EQ(TempFolder::get(folder.at("out/deep/b")), "2");
      EXPECT_THAT(folder.names(), ElementsAre("out")) << "call " << n;
    } else {
      EXPECT_THAT(folder.names(), ElementsAre()) << "call " << n;
      EXPECT_FALSE(error.empty());
    }
    files::remove_tree(folder.at("out"));
    if (!was_hit) break;
  }
  EXPECT_GT(failures, 15);
}

TEST(PublishDirectory, NeverReplaces) {
  TempFolder folder;
  folder.put("out/kept", "1");
  EXPECT_THAT(
      error_of([&] { files::publish_directory(folder.at("out"), [](const std::string&) {}); }),
      HasSubstr("exists already"));
  EXPECT_EQ(TempFolder::get(folder.at("out/kept")), "1");
}

TEST(StaleTemporaries, OfDeadProcessesGo) {
  TempFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  folder.put(".file.tmp-" + std::to_string(child) + "-0", "half");
  folder.put(".folder.tmp-" + std::to_string(child) + "-1/inside", "half");
  const std::string alive = ".file.tmp-" + std::to_string(::getpid()) + "-0";
  folder.put(alive, "being written");
  folder.put("file.tmp-x", "a user's");
  folder.put(".tmp-", "a user's");
  files::remove_stale_temporaries(folder.path());
  EXPECT_THAT(folder.names(), testing::UnorderedElementsAre(alive, "file.tmp-x", ".tmp-"));
}

TEST(ReadFile, RefusesWhatIsNoFileOrTooLarge) {
  TempFolder folder;
  const std::string path = folder.put("file", "12345");
  EXPECT_EQ(files::read_file(path), "12345");
  EXPECT_EQ(files::read_file(path, 5), "12345");
  EXPECT_THAT(error_of([&] { files::read_file(path, 4); }), HasSubstr("the limit here is 4"));
  EXPECT_THAT(error_of([&] { files::read_file(folder.path()); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { files::read_file(folder.at("none")); }), HasSubstr("No such file"));
  ASSERT_EQ(::mkfifo(folder.at("fifo").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { files::read_file(folder.at("fifo")); }),
              HasSubstr("not a regular file"));
}

TEST(CreateDirectories, MakesAllAndSaysWhatIsInTheWay) {
  TempFolder folder;
  files::create_directories(folder.at("a/b/c/"));
  files::create_directories(folder.at("a/b/c"));
  EXPECT_TRUE(fs::is_directory(folder.at("a/b/c")));
  folder.put("file", "");
  EXPECT_THAT(error_of([&] { files::create_directories(folder.at("file")); }),
              HasSubstr("a file of that name exists"));
}

}  // namespace
}  // namespace plumb
