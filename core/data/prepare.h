// Rows become tokens once, by all threads, into a store; afterwards the store is read. The order of
// samples is that of the rows, whatever the number of threads.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/data_options.h"
#include "core/data/store.h"
#include "core/text/tokenizer.h"

namespace plumb {

// Samples of a store that belong to one side of the split.
class Dataset {
 public:
  Dataset(std::shared_ptr<const Store> store, std::vector<std::int64_t> samples);

  std::int64_t size() const { return static_cast<std::int64_t>(samples_.size()); }
  Sample sample(std::int64_t index) const { return store_->sample(samples_.at(index)); }
  std::int64_t length(std::int64_t index) const { return store_->length(samples_.at(index)); }
  std::vector<std::int64_t> lengths(const std::vector<std::int64_t>& indices) const;
  const Store& store() const { return *store_; }

 private:
  std::shared_ptr<const Store> store_;
  std::vector<std::int64_t> samples_;
};

struct PrepareProgress {
  std::int64_t bytes_read = 0;  // of the files as they lie on disk
  std::int64_t bytes_total = 0;
  std::int64_t rows_read = 0;
  std::int64_t tokens = 0;
};

// What the job, not the user, knows.
struct DataRequest {
  SampleKind kind = SampleKind::text;
  std::int64_t context = 0;      // tokens that the model can take; 0: no limit known
  bool is_text_to_text = false;  // prompts are read by themselves, and end as the tokenizer ends a
                                 // text: with T5's EOS
  std::uint64_t seed = 0;        // of the split
  int threads = 0;               // 0: one a core
  std::function<void(const PrepareProgress&)> progress;  // may be empty; a few times a second
};

struct PreparedData {
  Dataset train;
  std::optional<Dataset> validation;  // when `validation` or `validation_fraction` was given
  bool was_ready = false;             // no store had to be made
  // Of `path` and of `validation`: each its own store's.
  const Accounting& accounting() const { return train.store().accounting(); }
};

// Opens the store of the options' files, making it first when it is missing, damaged or of other
// options (the last two with a warning). Throws Error on bad data as DataOptions says, on no sample
// at all, and on max_length beyond the context. Processes that
// make one store at once do the work several times over, and the last one's, which is equal, stays:
// let rank 0 call first.
PreparedData open_or_prepare(const DataOptions& options, const Tokenizer& tokenizer,
                             const DataRequest& request);

// The same where the stores are there and whole; nothing is made.
std::optional<PreparedData> open_if_ready(const DataOptions& options, const Tokenizer& tokenizer,
                                          const DataRequest& request);

// Path of the store that open_or_prepare uses for `options.path`.
std::string store_path(const DataOptions& options, const Tokenizer& tokenizer,
                       const DataRequest& request);

// Samples held out of `fraction`, by a hash of (seed, row): a row falls on the same side in every
// job that reads the same files, whichever rows the job drops. Windows of a document are divided
// among both sides. Neither side is empty when there are two samples and fraction > 0.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
};
Split split_samples(const Store& store, double fraction, std::uint64_t seed);

}  // namespace plumb
