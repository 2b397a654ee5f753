#include "core/data/raw_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/core/data/gzip_bytes.h"
#include "tests/core/io/temp_folder.h"

namespace plumb {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<RawRow> rows_of(const std::string& path, const std::string& separator = "",
                            const RowLimits& limits = {}) {
  const RowSource source = open_rows(std::make_shared<InputFile>(path), separator, limits);
  std::vector<RawRow> rows;
  for (RawRow row; source.next(row);) rows.push_back(row);
  return rows;
}

std::vector<std::string> bytes_of(const std::vector<RawRow>& rows) {
  std::vector<std::string> bytes;
  for (const RawRow& row : rows) bytes.push_back(row.bytes);
  return bytes;
}

std::vector<std::string> lines_of(const std::vector<RawRow>& rows) {
  std::vector<std::string> lines;
  for (const RawRow& row : rows) lines.push_back(row.where.substr(row.where.rfind(':') + 1));
  return lines;
}

TEST(LineRows, BlankLinesAreCountedAndAreNoRows) {
  TempFolder folder;
  const auto rows = rows_of(folder.put("a.jsonl", "{1}\n\n  \t\n{2}\n\n{3}"));
  EXPECT_THAT(bytes_of(rows), ElementsAre("{1}", "{2}", "{3}"));
  EXPECT_THAT(lines_of(rows), ElementsAre("1", "4", "6"));
  EXPECT_THAT(rows[1].where, EndsWith("a.jsonl:4"));
}

TEST(LineRows, WindowsLineEndsAndByteOrderMark) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.jsonl", "\xEF\xBB\xBF{1}\r\n\r\n{2}\r\n"))),
              ElementsAre("{1}", "{2}"));
}

TEST(LineRows, AByteOrderMarkInTheMiddleIsNotSkipped) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.jsonl", "{1}\n\xEF\xBB\xBF{2}\n"))),
              ElementsAre("{1}", "\xEF\xBB\xBF{2}"));
}

TEST(LineRows, Utf16IsNamed) {
  TempFolder folder;
  const std::string path = folder.put("a.jsonl", std::string("\xFF\xFE{\0", 4));
  EXPECT_THAT(error_of([&] { rows_of(path); }), HasSubstr("a.jsonl:1: the file is UTF-16"));
}

TEST(LineRows, EmptyFilesHaveNoRows) {
  TempFolder folder;
  EXPECT_THAT(rows_of(folder.put("a.jsonl", "")), IsEmpty());
  EXPECT_THAT(rows_of(folder.put("b.jsonl", "\n")), IsEmpty());
  EXPECT_THAT(rows_of(folder.put("c.json", "")), IsEmpty());
  EXPECT_THAT(rows_of(folder.put("d.txt", "\n \n")), IsEmpty());
}

TEST(LineRows, ALineOverTheLimitIsAFaultAndTheNextOneIsRead) {
  TempFolder folder;
  const std::string path =
      folder.put("a.jsonl", "{1}\n" + std::string(3 << 20, 'x') + "\n" + std::string(1 << 20, 'y'));
  const auto rows = rows_of(path, "", {.max_row_bytes = 1 << 20});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(rows[1].fault, HasSubstr("at most 1 MiB"));
  EXPECT_THAT(rows[1].where, EndsWith(":2"));
  EXPECT_LE(rows[1].bytes.capacity(), std::size_t{3} << 20);
  EXPECT_EQ(rows[2].fault, "");
  EXPECT_EQ(rows[2].bytes.size(), std::size_t{1} << 20);
}

TEST(LineRows, GzipIsToldByItsBytes) {
  TempFolder folder;
  const std::string packed = gzip_bytes("{1}\n{2}\n");
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.jsonl.gz", packed))), ElementsAre("{1}", "{2}"));
  EXPECT_THAT(bytes_of(rows_of(folder.put("b.jsonl", packed))), ElementsAre("{1}", "{2}"));
  EXPECT_THAT(bytes_of(rows_of(folder.put("c.jsonl.gz", "{1}\n"))), ElementsAre("{1}"));
}

TEST(LineRows, GzipCutInTheMiddleIsAnError) {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string packed = gzip_bytes(text);
  const std::string path = folder.put("a.jsonl.gz", packed.substr(0, packed.size() / 2));
  EXPECT_THAT(error_of([&] { rows_of(path); }), HasSubstr("stop in the middle"));
}

TEST(LineRows, DamagedGzipIsAnError) {
  TempFolder folder;
  std::string packed = gzip_bytes(std::string(100000, 'x') + "\n");
  packed[packed.size() - 6] ^= 1;  // the checksum
  const std::string path = folder.put("a.jsonl.gz", packed);
  EXPECT_THAT(error_of([&] { rows_of(path); }), HasSubstr("cannot be read"));
}

TEST(ElementRows, AreTheObjectsOfTheArrayWithTheirLines) {
  TempFolder folder;
  const std::string text =
      " [\n  {\"a\": \"]},{\\\"[\"},\n  {\"b\": [1, {\"c\": 2}]}\n,{\"d\":\n3}]\n";
  const auto rows = rows_of(folder.put("a.json", text));
  EXPECT_THAT(bytes_of(rows),
              ElementsAre("{\"a\": \"]},{\\\"[\"}", "{\"b\": [1, {\"c\": 2}]}\n", "{\"d\":\n3}"));
  EXPECT_THAT(lines_of(rows), ElementsAre("2 (element 1)", "3 (element 2)", "4 (element 3)"));
}

TEST(ElementRows, AnEscapedBackslashBeforeAQuoteEndsTheString) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.json", R"([{"a":"\\"},{"b":"\\\""}])"))),
              ElementsAre(R"({"a":"\\"})", R"({"b":"\\\""})"));
}

TEST(ElementRows, AreTheSameAcrossBuffers) {
  TempFolder folder;
  std::string text = "[";
  std::vector<std::string> expected;
  for (int i = 0; i < 30000; ++i) {
    expected.push_back("{\"k\": \"" + std::string(static_cast<std::size_t>(i % 40), 'x') + "\"}");
    text += (i > 0 ? ",\n" : "") + expected.back();
  }
  const auto rows = rows_of(folder.put("a.json", text + "]"));
  EXPECT_EQ(bytes_of(rows), expected);
  EXPECT_THAT(rows.back().where, EndsWith(":30000 (element 30000)"));
}

TEST(ElementRows, BrokenArraysAreErrors) {
  TempFolder folder;
  EXPECT_THAT(rows_of(folder.put("a.json", " [ \n]\n")), IsEmpty());
  EXPECT_THAT(error_of([&] { rows_of(folder.put("b.json", "[{\"a\": 1},\n{\"a\"")); }),
              HasSubstr("b.json:2: the array of rows is not closed"));
  EXPECT_THAT(error_of([&] { rows_of(folder.put("c.json", "[{}]\n{}")); }),
              HasSubstr("c.json:2: the array of rows ends before this"));
  const auto rows = rows_of(folder.put("d.json", "[{},,{},]"));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_THAT(rows[1].fault, HasSubstr("missing"));
  EXPECT_THAT(rows[3].fault, HasSubstr("missing"));
}

TEST(ElementRows, AJsonFileOfLinesIsReadAsLines) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.json", "\n{\"a\": 1}\n{\"a\": 2}\n"))),
              ElementsAre("{\"a\": 1}", "{\"a\": 2}"));
}

TEST(DocumentRows, AreDividedByTheSeparator) {
  TempFolder folder;
  const auto rows =
      rows_of(folder.put("a.txt", "one\ntwo\n<sep>\nthree<sep><sep>\n\n<sep>four\n"), "<sep>");
  EXPECT_THAT(bytes_of(rows), ElementsAre("one\ntwo", "three", "four\n"));
  EXPECT_THAT(lines_of(rows), ElementsAre("1", "4", "6"));
}

TEST(DocumentRows, WindowsLineEndsBecomeNewlines) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.txt", "a\r\nb\rc\r\n<sep>\r\nd\r\n"), "<sep>")),
              ElementsAre("a\nb\rc", "d\n"));
}

TEST(DocumentRows, WithoutSeparatorTheFileIsOne) {
  TempFolder folder;
  EXPECT_THAT(bytes_of(rows_of(folder.put("a.txt", "a\n<sep>\nb"))), ElementsAre("a\n<sep>\nb"));
}

TEST(DocumentRows, LongOnesComeInPiecesOfWholeLines) {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i) + (i % 7 ? "\n" : "\n\n");
  const auto rows =
      rows_of(folder.put("a.txt", text + "<sep>short"), "<sep>", {.max_piece_bytes = 256});
  ASSERT_GT(rows.size(), 10U);
  std::string joined;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    EXPECT_LE(rows[i].bytes.size(), 256U);
    EXPECT_EQ(rows[i].ends_row, i + 2 == rows.size());
    joined += rows[i].bytes;
    if (!rows[i].ends_row) {
      EXPECT_EQ(rows[i].bytes.back(), '\n');
    }
  }
  EXPECT_EQ(joined + "\n", text);
  EXPECT_EQ(rows.back().bytes, "short");
  EXPECT_TRUE(rows.back().ends_row);
}

TEST(DocumentRows, PiecesWithoutLinesKeepCharactersWhole) {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "\xE2\x82\xAC";  // the euro sign, three bytes
  std::string joined;
  for (const RawRow& row : rows_of(folder.put("a.txt", text), "", {.max_piece_bytes = 100})) {
    EXPECT_EQ(row.bytes.size() % 3, 0U);
    joined += row.bytes;
  }
  EXPECT_EQ(joined, text);
}

TEST(DocumentRows, ASeparatorAcrossAPieceEndIsFound) {
  TempFolder folder;
  for (std::size_t length = 90; length < 110; ++length) {
    const auto rows = rows_of(folder.put("a.txt", std::string(length, 'x') + "<sep>y"), "<sep>",
                              {.max_piece_bytes = 100});
    std::string first;
    for (std::size_t i = 0; i + 1 < rows.size(); ++i) first += rows[i].bytes;
    EXPECT_EQ(first, std::string(length, 'x'));
    EXPECT_EQ(rows.back().bytes, "y");
  }
}

TEST(DocumentRows, BytesThatAreNoTextAreErrorsWithTheirLine) {
  TempFolder folder;
  EXPECT_THAT(error_of([&] { rows_of(folder.put("a.txt", "one\ntwo \xC3(\n")); }),
              HasSubstr("a.txt:2: the text is not valid UTF-8"));
  EXPECT_THAT(error_of([&] { rows_of(folder.put("b.txt", std::string("a\n\nb\0c", 6))); }),
              HasSubstr("b.txt:3: the text holds a NUL byte"));
}

TEST(InputFile, WhatIsNoFileIsNamed) {
  TempFolder folder;
  EXPECT_THAT(error_of([&] { rows_of(folder.at("none.jsonl")); }),
              HasSubstr("there is no such data file"));
  EXPECT_THAT(error_of([&] { rows_of(folder.path()); }), HasSubstr("is a folder"));
  ASSERT_EQ(::mkfifo(folder.at("pipe.jsonl").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { rows_of(folder.at("pipe.jsonl")); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { rows_of(folder.put("a.csv", "a,b\n")); }), HasSubstr(".jsonl"));
}

TEST(InputFile, AFileWithoutPermissionIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  TempFolder folder;
  const std::string path = folder.put("a.jsonl", "{}");
  ::chmod(path.c_str(), 0);
  EXPECT_THAT(error_of([&] { rows_of(path); }), HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace plumb
