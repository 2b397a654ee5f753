#include "core/data/raw_rows.h"

#include <algorithm>
#include <optional>

#include "core/data/byte_stream.h"
#include "core/data/document_rows.h"
#include "core/error.h"

namespace plumb {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}

std::string too_long_fault(std::size_t limit) {
  return "a row has at most " + std::to_string(limit >> 20) + " MiB; this one has more";
}

// Keeps what fits, so a row over the limit costs no more memory than one at the limit.
void keep(std::string& bytes, std::string_view more, std::size_t limit, bool& is_over) {
  is_over = is_over || more.size() > limit - bytes.size();
  if (!is_over) bytes.append(more);
}

class LineRows {
 public:
  LineRows(std::shared_ptr<ByteStream> stream, const RowLimits& limits)
      : stream_(std::move(stream)), limits_(limits) {}

  bool operator()(RawRow& row) {
    while (!stream_->window().empty()) {
      row = {};
      row.where = stream_->where();
      bool is_over = false;
      read_line(row.bytes, is_over);
      if (row.bytes.ends_with('\r')) row.bytes.pop_back();
      if (is_over) row.fault = too_long_fault(limits_.max_row_bytes);
      if (is_over || !is_blank(row.bytes)) return true;
    }
    return false;
  }

 private:
  void read_line(std::string& bytes, bool& is_over) {
    while (true) {
      const std::string_view window = stream_->window();
      if (window.empty()) return;
      const std::size_t newline = window.find('\n');
      keep(bytes, window.substr(0, newline), limits_.max_row_bytes, is_over);
      stream_->take(std::min(newline, window.size() - 1) + 1);
      if (newline != std::string_view::npos) return;
    }
  }

  std::shared_ptr<ByteStream> stream_;
  RowLimits limits_;
};

// Finds where elements of the outermost array end; what is in them is the parser's business.
class ElementRows {
 public:
  ElementRows(std::shared_ptr<ByteStream> stream, const RowLimits& limits)
      : stream_(std::move(stream)), limits_(limits) {
    skip_blank();
    stream_->take(1);  // '['
  }

  bool operator()(RawRow& row) {
    if (has_ended_) return false;
    skip_blank();
    row = {};
    row.where = stream_->where() + " (element " + std::to_string(count_ + 1) + ")";
    bool is_over = false;
    const char end = read_element(row.bytes, is_over);
    const bool is_empty_array = count_ == 0 && end == ']' && is_blank(row.bytes);
    ++count_;
    if (end == ']') finish();
    if (is_empty_array) return false;
    if (is_over) row.fault = too_long_fault(limits_.max_row_bytes);
    if (!is_over && is_blank(row.bytes)) row.fault = "an element is missing beside a comma";
    return true;
  }

 private:
  void skip_blank() {
    while (true) {
      const std::string_view window = stream_->window();
      if (window.empty()) return;
      const std::size_t next = window.find_first_not_of(kBlank);
      stream_->take(std::min(next, window.size()));
      if (next != std::string_view::npos) return;
    }
  }

  // Takes an element and the ',' or ']' after it, which it returns.
  char read_element(std::string& bytes, bool& is_over) {
    depth_ = 0;
    is_in_string_ = is_escaped_ = false;
    while (true) {
      const std::string_view window = stream_->window();
      if (window.empty()) {
        throw Error(stream_->where() +
                    ": the array of rows is not closed by ']'; is the file whole?");
      }
      const auto end =
          std::find_if(window.begin(), window.end(), [this](char c) { return ends_element(c); });
      const auto count = static_cast<std::size_t>(end - window.begin());
      keep(bytes, window.substr(0, count), limits_.max_row_bytes, is_over);
      const bool is_found = count < window.size();
      const char found = is_found ? window[count] : '\0';
      stream_->take(count + (is_found ? 1 : 0));
      if (is_found) return found;
    }
  }

  bool ends_element(char c) {
    if (is_in_string_) {
      if (c == '"' && !is_escaped_) is_in_string_ = false;
      is_escaped_ = c == '\\' && !is_escaped_;
      return false;
    }
    if (depth_ == 0 && (c == ',' || c == ']')) return true;
    if (c == '"') is_in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if ((c == '}' || c == ']') && depth_ > 0) --depth_;
    return false;
  }

  void finish() {
    has_ended_ = true;
    skip_blank();
    if (!stream_->window().empty()) {
      throw Error(stream_->where() + ": the array of rows ends before this; nothing may follow it");
    }
  }

  std::shared_ptr<ByteStream> stream_;
  RowLimits limits_;
  std::int64_t count_ = 0;
  std::int64_t depth_ = 0;
  bool is_in_string_ = false;
  bool is_escaped_ = false;
  bool has_ended_ = false;
};

bool is_array(ByteStream& stream) {
  const std::string_view window = stream.window();
  const std::size_t first = window.find_first_not_of(kBlank);
  return first != std::string_view::npos && window[first] == '[';
}

}  // namespace

RowSource open_rows(std::shared_ptr<InputFile> file, const std::string& separator,
                    const RowLimits& limits) {
  std::string name = file->path();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  auto stream = std::make_shared<ByteStream>(std::move(file));
  if (name.ends_with(".txt")) {
    return {RawKind::text, DocumentRows(stream, separator, limits)};
  }
  if (name.ends_with(".json") && is_array(*stream)) {
    return {RawKind::json, ElementRows(stream, limits)};
  }
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson") || name.ends_with(".json")) {
    return {RawKind::json, LineRows(stream, limits)};
  }
  throw Error(stream->path() +
              ": data files end in .jsonl, .ndjson, .json or .txt, each also with .gz; rename it");
}

}  // namespace plumb
