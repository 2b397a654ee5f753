// The tokenised data: an HDF5 file that is a cache of our own making (DESIGN.md 8). Its first 512
// bytes (HDF5's user block) hold the key of what it was made from and the hash of all that follows;
// both are checked before libhdf5 sees the file, because libhdf5 crashes on hostile files.
//
// Datasets (S sequences, T tokens, P spans, N samples; S = N, or 2 N for preference):
//   tokens           (T)    int32
//   sequence_offsets (S+1)  int64   sequence s is tokens [s], [s+1])
//   spans            (P, 4) int32   begin, end (within the sequence), role, is_trained
//   span_offsets     (S+1)  int64
//   rows             (N)    int64
//   margins          (N)    float64, preference
//   answers, columns (N)    UTF-8 strings, prompt
// Attributes: kind, accounting (JSON).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/accounting.h"
#include "core/data/sample.h"

namespace plumb {

// Reads samples one by one; what it keeps in memory is 24 bytes a sequence. Any number of threads
// may use one Store (reads take turns: libhdf5 is not thread-safe).
class Store {
 public:
  // Why the file may not be used (absent, damaged, made from something else), or nothing when it is
  // whole and has this key. Reads the whole file once.
  static std::optional<std::string> find_fault(const std::string& path, const std::string& key);
  // Throws Error when find_fault would name one.
  static Store open(const std::string& path, const std::string& key);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  SampleKind kind() const;
  std::int64_t num_samples() const;
  std::int64_t row(std::int64_t sample) const;
  std::int64_t length(std::int64_t sample) const;  // as Sample::length, without reading tokens
  Sample sample(std::int64_t sample) const;
  const Accounting& accounting() const;
  const std::string& path() const;

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Publishes a store: `fill` gives the samples to `add` in order and returns the accounting kept
// with them. When it throws, nothing is left behind.
using AddSample = std::function<void(const Sample&)>;
void write_store(const std::string& path, const std::string& key, SampleKind kind,
                 const std::function<Accounting(const AddSample&)>& fill);

}  // namespace plumb
