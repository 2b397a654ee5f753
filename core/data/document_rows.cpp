#include "core/data/document_rows.h"

#include <algorithm>

#include "core/error.h"
#include "core/io/utf8.h"

namespace plumb {
namespace {

std::int64_t newlines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

// As text is read everywhere: a line ends with LF, whatever the file was written on.
void unify_line_ends(std::string& text) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_half_an_end = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!is_half_an_end) text[kept++] = text[i];
  }
  text.resize(kept);
}

}  // namespace

DocumentRows::DocumentRows(std::shared_ptr<ByteStream> stream, std::string separator,
                           const RowLimits& limits)
    : stream_(std::move(stream)), separator_(std::move(separator)), limits_(limits) {}

void DocumentRows::fill(std::size_t bytes) {
  if (rest().size() >= bytes) return;
  pending_.erase(0, at_);
  at_ = 0;
  while (pending_.size() < bytes) {
    const std::string_view window = stream_->window();
    if (window.empty()) return;
    pending_.append(window);
    stream_->take(window.size());
  }
}

// Where a piece of a document longer than max_piece_bytes ends.
std::size_t DocumentRows::piece_end() const {
  const std::string_view piece = rest().substr(0, limits_.max_piece_bytes);
  const std::size_t blank_line = piece.rfind("\n\n");
  if (blank_line != std::string_view::npos && blank_line + 2 > piece.size() / 2) {
    return blank_line + 2;
  }
  const std::size_t newline = piece.rfind('\n');
  if (newline != std::string_view::npos) return newline + 1;
  // Not inside a character; four bytes back there is always a boundary, if it is UTF-8 at all.
  const std::size_t invalid = find_invalid_utf8(piece);
  const bool is_cut_character = invalid != std::string_view::npos && invalid + 4 > piece.size();
  return is_cut_character && invalid > 0 ? invalid : piece.size();
}

void DocumentRows::check(std::string_view piece) const {
  const std::size_t invalid = find_invalid_utf8(piece);
  const std::size_t bad = std::min(invalid, piece.find('\0'));
  if (bad == std::string_view::npos) return;
  const std::int64_t line = line_ + newlines(piece.substr(0, bad));
  throw Error(stream_->path() + ":" + std::to_string(line) + ": " +
              (bad == invalid ? "the text is not valid UTF-8; convert it"
                              : "the text holds a NUL byte; is it a text file?"));
}

bool DocumentRows::operator()(RawRow& row) {
  while (true) {
    fill(limits_.max_piece_bytes + separator_.size() + 2);
    const std::string_view text = rest();
    if (text.empty() && !is_within_document_) return false;
    const std::size_t found = separator_.empty() ? std::string_view::npos : text.find(separator_);
    const bool has_separator = found <= limits_.max_piece_bytes;
    const bool is_last = !has_separator && text.size() <= limits_.max_piece_bytes;
    const std::size_t end = has_separator ? found : is_last ? text.size() : piece_end();
    std::size_t taken = has_separator ? end + separator_.size() : end;
    if (has_separator && text.substr(taken).starts_with("\r\n")) ++taken;
    if (has_separator && text.substr(taken).starts_with('\n')) ++taken;

    row = {};
    row.bytes = text.substr(0, end);
    row.where = stream_->path() + ":" + std::to_string(line_);
    row.ends_row = has_separator || is_last;
    check(row.bytes);
    line_ += newlines(text.substr(0, taken));
    at_ += taken;
    unify_line_ends(row.bytes);
    if (has_separator && row.bytes.ends_with('\n')) row.bytes.pop_back();

    const bool is_blank = row.bytes.find_first_not_of(" \t\r\n") == std::string::npos;
    const bool goes_on = is_within_document_;
    is_within_document_ = !row.ends_row;
    if (goes_on || !row.ends_row || !is_blank) return true;
  }
}

}  // namespace plumb
