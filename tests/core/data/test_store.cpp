#include "core/data/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::HasSubstr;

bool same(const Span& a, const Span& b) {
  return a.begin == b.begin && a.end == b.end && a.role == b.role && a.is_trained == b.is_trained;
}

void expect_same(const Sample& a, const Sample& b) {
  EXPECT_EQ(a.row, b.row);
  EXPECT_EQ(a.margin, b.margin);
  EXPECT_EQ(a.answer, b.answer);
  EXPECT_EQ(a.columns, b.columns);
  ASSERT_EQ(a.sequences.size(), b.sequences.size());
  for (std::size_t s = 0; s < a.sequences.size(); ++s) {
    EXPECT_EQ(a.sequences[s].tokens, b.sequences[s].tokens);
    const auto& left = a.sequences[s].spans;
    const auto& right = b.sequences[s].spans;
    EXPECT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end(), same));
  }
}

Sequence sequence_of(int seed, int length) {
  Sequence sequence;
  for (int i = 0; i < length; ++i) sequence.tokens.push_back(seed * 1000 + i);
  const int half = length / 2;
  if (half > 0) sequence.spans.push_back({0, half, Role::user, false});
  sequence.spans.push_back({half, length, Role::assistant, seed % 2 == 0});
  return sequence;
}

Sample sample_of(SampleKind kind, int i) {
  Sample sample;
  sample.row = 3 * i;
  sample.sequences.push_back(sequence_of(i, 1 + i * 31 % 200));
  if (kind == SampleKind::preference) {
    sample.sequences.push_back(sequence_of(-i, 1 + i * 17 % 100));
    sample.margin = i * 0.25;
  }
  if (kind == SampleKind::prompt) {
    sample.answer = std::to_string(i);
    sample.columns = R"({"prompt": ")" + std::string(static_cast<std::size_t>(i), 'x') + "\"}";
  }
  return sample;
}

void write_samples(const std::string& path, SampleKind kind, int count,
                   const std::string& key = "key") {
  write_store(path, key, kind, [&](const AddSample& add) {
    for (int i = 0; i < count; ++i) add(sample_of(kind, i));
    Accounting accounting;
    accounting.rows_read = count + 2;
    accounting.rows_used = count;
    accounting.skipped["too long"] = 2;
    accounting.examples = {"f:1: \"so\""};
    accounting.chat_format = "plain";
    return accounting;
  });
}

TEST(Store, GivesBackWhatWasWritten) {
  TempFolder folder;
  for (const auto kind :
       {SampleKind::text, SampleKind::conversation, SampleKind::preference, SampleKind::prompt}) {
    const std::string path = folder.at(sample_kind_name(kind) + ".h5");
    write_samples(path, kind, 300);
    const Store store = Store::open(path, "key");
    EXPECT_EQ(store.kind(), kind);
    ASSERT_EQ(store.num_samples(), 300);
    for (int i = 0; i < 300; ++i) {
      expect_same(store.sample(i), sample_of(kind, i));
      EXPECT_EQ(store.length(i), sample_of(kind, i).length());
      EXPECT_EQ(store.row(i), 3 * i);
    }
    EXPECT_EQ(store.accounting().to_json(), Store::open(path, "key").accounting().to_json());
    EXPECT_EQ(store.accounting().rows_skipped(), 2);
    EXPECT_EQ(store.accounting().chat_format, "plain");
  }
}

TEST(Store, IsWrittenInPartsWhenItIsLong) {
  TempFolder folder;
  const std::string path = folder.at("a.h5");
  constexpr int kLength = 400000;  // the writer hands on about a million tokens at a time
  write_store(path, "key", SampleKind::text, [&](const AddSample& add) {
    for (int i = 0; i < 7; ++i) add({i, {sequence_of(i, kLength + i)}, 0.0, "", ""});
    return Accounting{};
  });
  const Store store = Store::open(path, "key");
  ASSERT_EQ(store.num_samples(), 7);
  for (int i = 6; i >= 0; --i) {
    expect_same(store.sample(i), {i, {sequence_of(i, kLength + i)}, 0.0, "", ""});
  }
}

TEST(Store, ManyThreadsReadOne) {
  TempFolder folder;
  write_samples(folder.at("a.h5"), SampleKind::prompt, 100);
  const Store store = Store::open(folder.at("a.h5"), "key");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 100; ++i) {
        const int index = (i * 7 + t * 13) % 100;
        EXPECT_EQ(store.sample(index).answer, std::to_string(index));
      }
    });
  }
}

TEST(Store, FaultsAreFoundBeforeItIsOpened) {
  TempFolder folder;
  const std::string path = folder.at("a.h5");
  EXPECT_THAT(*Store::find_fault(path, "key"), HasSubstr("there is no such store"));
  write_samples(path, SampleKind::text, 20);
  EXPECT_EQ(Store::find_fault(path, "key"), std::nullopt);
  EXPECT_THAT(*Store::find_fault(path, "other"), HasSubstr("other data, options or tokenizer"));
  EXPECT_THAT(*Store::find_fault(path, "ke"), HasSubstr("other data"));

  const std::string whole = TempFolder::get(path);
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 200) {
    std::string damaged = whole;
    damaged[at] ^= 1;
    folder.put("a.h5", damaged);
    EXPECT_NE(Store::find_fault(path, "key"), std::nullopt) << "byte " << at;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, std::size_t{512}, whole.size() - 1}) {
    folder.put("a.h5", whole.substr(0, size));
    EXPECT_NE(Store::find_fault(path, "key"), std::nullopt) << "cut to " << size;
  }
  folder.put("a.h5", whole + "x");
  EXPECT_THAT(*Store::find_fault(path, "key"), HasSubstr("damaged"));
  EXPECT_THAT(error_of([&] { Store::open(path, "key"); }), HasSubstr("damaged"));
}

TEST(Store, NothingIsLeftWhenFillingFails) {
  TempFolder folder;
  const auto fail = [](const AddSample& add) -> Accounting {
    add(sample_of(SampleKind::text, 1));
    throw Error("the data are bad");
  };
  EXPECT_EQ(error_of([&] { write_store(folder.at("a.h5"), "key", SampleKind::text, fail); }),
            "the data are bad");
  EXPECT_THAT(folder.names(), testing::IsEmpty());
}

// As on a full disk. libhdf5 is known to crash at exit after a write that failed.
TEST(StoreDeathTest, AWriteThatFailsIsAnErrorAndNoCrash) {
  TempFolder folder;
  const auto write_too_much = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64 << 10, 64 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = error_of([&] {
      write_store(folder.at("a.h5"), "key", SampleKind::text, [](const AddSample& add) {
        for (int i = 0; i < 5; ++i) add({i, {sequence_of(i, 400000)}, 0.0, "", ""});
        return Accounting{};
      });
    });
    std::fputs(message.c_str(), stderr);
    std::exit(folder.names().empty() ? 3 : 4);
  };
  EXPECT_EXIT(write_too_much(), testing::ExitedWithCode(3), "HDF5 cannot .*: File too large");
}

TEST(Store, SamplesBeyondTheEndAreRefused) {
  TempFolder folder;
  write_samples(folder.at("a.h5"), SampleKind::text, 3);
  const Store store = Store::open(folder.at("a.h5"), "key");
  EXPECT_THROW(store.sample(3), std::out_of_range);
  EXPECT_THROW(store.sample(-1), std::out_of_range);
}

}  // namespace
}  // namespace plumb
