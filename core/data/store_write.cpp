#include <fstream>
#include <span>

#include "core/data/hdf5_file.h"
#include "core/data/store.h"
#include "core/data/store_format.h"
#include "core/error.h"
#include "core/io/files.h"

namespace plumb {
namespace {

constexpr std::size_t kFlushTokens = std::size_t{1} << 20;
constexpr std::size_t kFlushStringBytes = std::size_t{8} << 20;

// Collects samples and hands them to HDF5 a megabyte at a time.
class SampleBuffer {
 public:
  SampleBuffer(Hdf5File& file, SampleKind kind) : file_(file), kind_(kind) {
    sequence_offsets_.push_back(0);
    span_offsets_.push_back(0);
  }

  void add(const Sample& sample) {
    for (const Sequence& sequence : sample.sequences) add(sequence);
    rows_.push_back(sample.row);
    margins_.push_back(sample.margin);
    if (kind_ == SampleKind::prompt) {
      string_bytes_ += sample.answer.size() + sample.columns.size();
      answers_.push_back(sample.answer);
      columns_.push_back(sample.columns);
    }
    if (tokens_.size() >= kFlushTokens || string_bytes_ >= kFlushStringBytes) flush();
  }

  void flush() {
    append("tokens", tokens_);
    append("spans", spans_, kSpanFields);
    append("sequence_offsets", sequence_offsets_);
    append("span_offsets", span_offsets_);
    append("rows", rows_);
    if (kind_ == SampleKind::preference) append("margins", margins_);
    if (kind_ == SampleKind::prompt) {
      file_.append_strings("answers", answers_);
      file_.append_strings("columns", columns_);
    }
    margins_.clear();
    answers_.clear();
    columns_.clear();
    string_bytes_ = 0;
  }

 private:
  void add(const Sequence& sequence) {
    tokens_.insert(tokens_.end(), sequence.tokens.begin(), sequence.tokens.end());
    num_tokens_ += static_cast<std::int64_t>(sequence.tokens.size());
    sequence_offsets_.push_back(num_tokens_);
    for (const Span& span : sequence.spans) {
      spans_.insert(spans_.end(),
                    {static_cast<std::int32_t>(span.begin), static_cast<std::int32_t>(span.end),
                     static_cast<std::int32_t>(span.role), span.is_trained ? 1 : 0});
    }
    num_spans_ += static_cast<std::int64_t>(sequence.spans.size());
    span_offsets_.push_back(num_spans_);
  }

  template <class T>
  void append(const std::string& name, std::vector<T>& values, std::size_t row_size = 1) {
    file_.append<T>(name, std::span<const T>(values), static_cast<std::int64_t>(row_size));
    values.clear();
  }

  Hdf5File& file_;
  SampleKind kind_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::int32_t> spans_;
  std::vector<std::int64_t> sequence_offsets_;
  std::vector<std::int64_t> span_offsets_;
  std::vector<std::int64_t> rows_;
  std::vector<double> margins_;
  std::vector<std::string> answers_;
  std::vector<std::string> columns_;
  std::size_t string_bytes_ = 0;
  std::int64_t num_tokens_ = 0;
  std::int64_t num_spans_ = 0;
};

void write_header(const std::string& path, const std::string& header) {
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  out.flush();
  if (!out) throw Error(path + ": its header cannot be written", Exit::failed);
}

}  // namespace

void write_store(const std::string& path, const std::string& key, SampleKind kind,
                 const std::function<Accounting(const AddSample&)>& fill) {
  files::publish_path(path, [&](const std::string& temporary) {
    Hdf5File file = Hdf5File::create(temporary, kStoreHeaderBytes);
    SampleBuffer buffer(file, kind);
    const Accounting accounting = fill([&](const Sample& sample) { buffer.add(sample); });
    buffer.flush();
    file.set_attribute("kind", sample_kind_name(kind));
    file.set_attribute("kind_number", static_cast<std::int64_t>(kind));
    file.set_attribute("accounting", accounting.to_json().dump());
    file.close();
    write_header(temporary, store_header(key, hash_after_header(temporary)));
  });
}

}  // namespace plumb
