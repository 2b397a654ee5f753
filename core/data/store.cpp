#include "core/data/store.h"

#include <algorithm>
#include <fstream>

#include "core/data/hdf5_file.h"
#include "core/data/store_format.h"
#include "core/error.h"
#include "core/io/hash.h"

namespace plumb {

std::string store_header(const std::string& key, const std::string& hash) {
  std::string header = std::string(kStoreMagic) + "key " + key + "\nhash " + hash + "\n";
  header.resize(kStoreHeaderBytes, '\0');
  return header;
}

std::string hash_after_header(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(kStoreHeaderBytes);
  Hasher hasher;
  std::vector<char> buffer(std::size_t{1} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    hasher.update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) throw Error(path + ": it cannot be read", Exit::failed);
  return hasher.hex();
}

std::optional<std::string> Store::find_fault(const std::string& path, const std::string& key) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return path + ": there is no such store";
  std::string header(kStoreHeaderBytes, '\0');
  in.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (!in || !header.starts_with(kStoreMagic)) {
    return path + ": it is not a store of this version of plumb";
  }
  if (!header.starts_with(std::string(kStoreMagic) + "key " + key + "\n")) {
    return path + ": it was made from other data, options or tokenizer";
  }
  if (header != store_header(key, hash_after_header(path))) {
    return path + ": it is damaged (its hash does not match)";
  }
  return std::nullopt;
}

struct Store::State {
  std::string path;
  Hdf5File file;
  SampleKind kind = SampleKind::text;
  Accounting accounting;
  std::vector<std::int64_t> rows;
  std::vector<std::int64_t> sequence_offsets;
  std::vector<std::int64_t> span_offsets;

  std::int64_t sequences_a_sample() const { return kind == SampleKind::preference ? 2 : 1; }
  Sequence sequence(std::int64_t index) const;
  void check_shapes() const;
};

// The hash vouches for the bytes; this for the program that wrote them.
void Store::State::check_shapes() const {
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto fits = [](const std::vector<std::int64_t>& offsets, std::int64_t parts,
                       std::int64_t total) {
    return static_cast<std::int64_t>(offsets.size()) == parts + 1 && offsets.front() == 0 &&
           offsets.back() == total && std::is_sorted(offsets.begin(), offsets.end());
  };
  const std::int64_t sequences = count * sequences_a_sample();
  if (!fits(sequence_offsets, sequences, file.shape("tokens").at(0)) ||
      !fits(span_offsets, sequences, file.shape("spans").at(0))) {
    throw Error(path + ": its offsets do not fit its tokens; delete it to have it made again");
  }
}

Sequence Store::State::sequence(std::int64_t index) const {
  const auto slot = static_cast<std::size_t>(index);
  const std::int64_t begin = sequence_offsets.at(slot);
  const std::int64_t first_span = span_offsets.at(slot);
  Sequence out;
  out.tokens = file.read<std::int32_t>("tokens", begin, sequence_offsets.at(slot + 1) - begin);
  const auto fields =
      file.read<std::int32_t>("spans", first_span, span_offsets.at(slot + 1) - first_span);
  for (std::size_t i = 0; i + kSpanFields <= fields.size(); i += kSpanFields) {
    out.spans.push_back(
        {fields[i], fields[i + 1], static_cast<Role>(fields[i + 2]), fields[i + 3] != 0});
  }
  return out;
}

Store Store::open(const std::string& path, const std::string& key) {
  if (const auto fault = find_fault(path, key)) throw Error(*fault);
  auto state = std::make_unique<State>(State{path, Hdf5File::open(path), {}, {}, {}, {}, {}});
  state->kind = static_cast<SampleKind>(state->file.integer_attribute("kind_number"));
  state->accounting = Accounting::from_json(
      parse_json(state->file.string_attribute("accounting"), path + ": accounting"));
  state->rows = state->file.read_all<std::int64_t>("rows");
  state->sequence_offsets = state->file.read_all<std::int64_t>("sequence_offsets");
  state->span_offsets = state->file.read_all<std::int64_t>("span_offsets");
  state->check_shapes();
  return Store(std::move(state));
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

SampleKind Store::kind() const {
  return state_->kind;
}
std::int64_t Store::num_samples() const {
  return static_cast<std::int64_t>(state_->rows.size());
}
const Accounting& Store::accounting() const {
  return state_->accounting;
}
const std::string& Store::path() const {
  return state_->path;
}
std::int64_t Store::row(std::int64_t sample) const {
  return state_->rows.at(static_cast<std::size_t>(sample));
}

std::int64_t Store::length(std::int64_t sample) const {
  const auto first = static_cast<std::size_t>(sample * state_->sequences_a_sample());
  const auto last = first + static_cast<std::size_t>(state_->sequences_a_sample());
  return state_->sequence_offsets.at(last) - state_->sequence_offsets.at(first);
}

Sample Store::sample(std::int64_t index) const {
  Sample out;
  out.row = row(index);
  const std::int64_t count = state_->sequences_a_sample();
  for (std::int64_t s = 0; s < count; ++s) {
    out.sequences.push_back(state_->sequence(index * count + s));
  }
  if (state_->kind == SampleKind::preference) {
    out.margin = state_->file.read<double>("margins", index, 1).at(0);
  }
  if (state_->kind == SampleKind::prompt) {
    out.answer = state_->file.read_strings("answers", index, 1).at(0);
    out.columns = state_->file.read_strings("columns", index, 1).at(0);
  }
  return out;
}

}  // namespace plumb
