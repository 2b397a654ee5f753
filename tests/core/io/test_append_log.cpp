#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/files.h"
#include "tests/core/io/faults.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using files::AppendLog;
using testing::HasSubstr;

TEST(AppendLog, ATornOrLaterTailIsCutOnOpening) {
  TempFolder folder;
  const std::string path = folder.at("log");
  std::uint64_t checkpoint = 0;
  {
    AppendLog log = AppendLog::create(path);
    log.append("step 1\n");
    log.sync();
    checkpoint = log.size();
    log.append("step 2\n");
    log.append("ste");
  }
  AppendLog log = AppendLog::open_at(path, checkpoint);
  log.append("step 2 again\n");
  EXPECT_EQ(TempFolder::get(path), "step 1\nstep 2 again\n");
  EXPECT_EQ(log.size(), 20u);
}

TEST(AppendLog, IsNotMadeOverAnOldOne) {
  TempFolder folder;
  folder.put("log", "old\n");
  EXPECT_THAT(error_of([&] { AppendLog::create(folder.at("log")); }), HasSubstr("exists already"));
  EXPECT_EQ(TempFolder::get(folder.at("log")), "old\n");
}

TEST(AppendLog, OpeningAtZeroNeedsNoFile) {
  TempFolder folder;
  AppendLog log = AppendLog::open_at(folder.at("log"), 0);
  log.append("a");
  EXPECT_EQ(TempFolder::get(folder.at("log")), "a");
}

TEST(AppendLog, AFileShorterThanTheCheckpointCountsOnIsAnError) {
  TempFolder folder;
  folder.put("log", "12345");
  EXPECT_THAT(error_of([&] { AppendLog::open_at(folder.at("log"), 6); }),
              HasSubstr("holds 5 bytes where the checkpoint counts 6"));
  EXPECT_EQ(TempFolder::get(folder.at("log")), "12345");
}

TEST(AppendLog, AFailedWriteLeavesWholeRecordsAndMayBeTriedAgain) {
  TempFolder folder;
  AppendLog log = AppendLog::create(folder.at("log"));
  log.append("one\n");
  {
    FaultyFiles faults({.fail_at = 1, .error_number = ENOSPC, .fault = Fault::torn_write});
    EXPECT_THAT(error_of([&] { log.append("two\n"); }), HasSubstr("3 bytes still to write"));
  }
  EXPECT_EQ(TempFolder::get(folder.at("log")), "one\n");
  log.append("three\n");
  EXPECT_EQ(TempFolder::get(folder.at("log")), "one\nthree\n");
}

TEST(AppendLog, AShortWriteIsFinished) {
  TempFolder folder;
  AppendLog log = AppendLog::create(folder.at("log"));
  FaultyFiles faults({.fail_at = 1, .is_sticky = true, .fault = Fault::short_write});
  log.append("record\n");
  EXPECT_EQ(FaultyFiles::calls(), 7);
  EXPECT_EQ(TempFolder::get(folder.at("log")), "record\n");
}

TEST(AppendLog, WhenTheCutFailsTooTheLogIsGivenUp) {
  TempFolder folder;
  AppendLog log = AppendLog::create(folder.at("log"));
  {
    FaultyFiles faults({.fail_at = 1, .is_sticky = true});
    EXPECT_NE(error_of([&] { log.append("two\n"); }), "");
  }
  EXPECT_THAT(error_of([&] { log.append("three\n"); }), HasSubstr("takes no more records"));
}

TEST(AppendLog, AFailedSyncIsNeverTriedAgain) {
  TempFolder folder;
  AppendLog log = AppendLog::create(folder.at("log"));
  log.append("one\n");
  FaultyFiles faults({.fail_at = 1});
  EXPECT_THAT(error_of([&] { log.sync(); }), HasSubstr("fsync failed"));
  EXPECT_THAT(error_of([&] { log.sync(); }), HasSubstr("takes no more records"));
  EXPECT_EQ(FaultyFiles::fsyncs(), 1);
}

TEST(AppendLog, MovesTakeTheFileAlong) {
  TempFolder folder;
  AppendLog first = AppendLog::create(folder.at("first"));
  AppendLog second = AppendLog::create(folder.at("second"));
  second = std::move(first);
  second.append("x");
  EXPECT_EQ(TempFolder::get(folder.at("first")), "x");
  EXPECT_EQ(TempFolder::get(folder.at("second")), "");
}

}  // namespace
}  // namespace plumb
