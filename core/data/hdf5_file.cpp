#include "core/data/hdf5_file.h"

#include <hdf5.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <type_traits>
#include <utility>

#include "core/error.h"

namespace plumb {
namespace {

constexpr std::int64_t kChunkValues = 16384;

// All calls of the process take turns.
std::mutex& hdf5_lock() {
  static std::mutex mutex;
  return mutex;
}

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  herr_t close() { return id_ < 0 ? 0 : close_(std::exchange(id_, -1)); }
  hid_t get() const { return id_; }
  bool is_open() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
  if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
}

Handle string_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

// Of "file write failed: time = ..., error message = 'No space left on device', buf = ..." what was
// in quotes; another text as it is.
std::string reason_of_system(const std::string& text) {
  const std::string mark = "error message = '";
  const std::size_t begin = text.find(mark);
  if (begin == std::string::npos) return text;
  const std::size_t end = text.find('\'', begin + mark.size());
  return text.substr(begin + mark.size(), end - begin - mark.size());
}

std::vector<hsize_t> extents(const std::vector<std::int64_t>& shape) {
  return {shape.begin(), shape.end()};
}

}  // namespace

struct Hdf5File::State {
  std::string path;
  Handle file;
  mutable std::map<std::string, Handle> datasets;  // open ones

  [[noreturn]] void fail(const std::string& action) const {
    std::string cause;
    const auto keep_deepest = [](unsigned, const H5E_error2_t* entry, void* text) -> herr_t {
      if (entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
      return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_deepest, &cause);
    cause = reason_of_system(cause);
    throw Error(path + ": HDF5 cannot " + action + (cause.empty() ? "" : ": " + cause),
                Exit::failed);
  }
  template <class Id>
  Id check(Id result, const std::string& action) const {
    if (result < 0) fail(action);
    return result;
  }

  void make_dataset(const std::string& name, hid_t type, const Handle& space,
                    const std::vector<hsize_t>& chunk) {
    Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(properties.get(), false);
    if (!chunk.empty()) {
      H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data());
    }
    Handle dataset(check(H5Dcreate2(file.get(), name.c_str(), type, space.get(), H5P_DEFAULT,
                                    properties.get(), H5P_DEFAULT),
                         "make dataset '" + name + "'"),
                   H5Dclose);
    datasets[name] = std::move(dataset);
  }

  hid_t dataset(const std::string& name) const {
    Handle& found = datasets[name];
    if (!found.is_open()) {
      found = Handle(
          check(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), "open dataset '" + name + "'"),
          H5Dclose);
    }
    return found.get();
  }

  std::vector<hsize_t> dataset_extents(const std::string& name) const {
    Handle space(check(H5Dget_space(dataset(name)), "read the shape of '" + name + "'"), H5Sclose);
    std::vector<hsize_t> dims(std::max(0, H5Sget_simple_extent_ndims(space.get())));
    H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
    return dims;
  }

  void write_whole(const std::string& name, hid_t type, const void* values,
                   const std::vector<hsize_t>& dims) {
    Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
    make_dataset(name, type, space, {});
    const bool is_empty = std::find(dims.begin(), dims.end(), hsize_t{0}) != dims.end();
    if (is_empty) return;
    check(H5Dwrite(dataset(name), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
          "write dataset '" + name + "'");
  }

  void append_rows(const std::string& name, hid_t type, const void* values, hsize_t rows,
                   hsize_t row_size) {
    std::vector<hsize_t> dims{0};
    if (row_size > 1) dims.push_back(row_size);
    if (!datasets.contains(name)) {
      std::vector<hsize_t> most = dims;
      most[0] = H5S_UNLIMITED;
      std::vector<hsize_t> chunk = dims;
      chunk[0] = std::max<hsize_t>(1, kChunkValues / row_size);
      Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), most.data()),
                   H5Sclose);
      make_dataset(name, type, space, chunk);
    }
    dims = dataset_extents(name);
    if (rows == 0) return;
    std::vector<hsize_t> begin(dims.size(), 0);
    begin[0] = dims[0];
    dims[0] += rows;
    check(H5Dset_extent(dataset(name), dims.data()), "grow dataset '" + name + "'");
    std::vector<hsize_t> count = dims;
    count[0] = rows;
    transfer(name, type, begin, count, [&](hid_t memory, hid_t space) {
      return H5Dwrite(dataset(name), type, memory, space, H5P_DEFAULT, values);
    });
  }

  template <class Action>
  void transfer(const std::string& name, hid_t, const std::vector<hsize_t>& begin,
                const std::vector<hsize_t>& count, const Action& action) const {
    Handle space(H5Dget_space(dataset(name)), H5Sclose);
    Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                  H5Sclose);
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, begin.data(), nullptr, count.data(),
                              nullptr),
          "select rows of '" + name + "'");
    check(action(memory.get(), space.get()), "read or write rows of '" + name + "'");
  }

  // The extents of `count` rows, after checking that they are there.
  std::vector<hsize_t> rows_within(const std::string& name, std::int64_t begin,
                                   std::int64_t count) const {
    std::vector<hsize_t> dims = dataset_extents(name);
    const auto rows = dims.empty() ? 0 : static_cast<std::int64_t>(dims[0]);
    if (dims.empty() || begin < 0 || count < 0 || begin > rows || count > rows - begin) {
      throw Error(path + ": rows " + std::to_string(begin) + " to " +
                  std::to_string(begin + count) + " of '" + name + "' were asked for; it has " +
                  std::to_string(rows));
    }
    dims[0] = static_cast<hsize_t>(count);
    return dims;
  }
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;

Hdf5File::~Hdf5File() {
  if (!state_) return;
  const std::lock_guard lock(hdf5_lock());
  state_.reset();
}

namespace {

Handle access_properties() {
  // A file that could not be written out (a full disk) stays half open in libhdf5 1.10, and its
  // exit handler crashes on it. Nothing needs the handler: files are closed before they are
  // published.
  static const herr_t without_exit_handler = H5dont_atexit();
  static_cast<void>(without_exit_handler);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors become exceptions, not prints
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // Files are published whole and never changed, and some network file systems cannot lock.
  H5Pset_file_locking(access.get(), false, true);
  return access;
}

}  // namespace

Hdf5File Hdf5File::create(const std::string& path, std::uint64_t user_block) {
  const std::lock_guard lock(hdf5_lock());
  const Handle access = access_properties();
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  auto state = std::make_unique<State>();
  state->path = path;
  state->check(H5Pset_userblock(creation.get(), user_block), "set the user block");
  state->file = Handle(
      state->check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), "create"),
      H5Fclose);
  return Hdf5File(std::move(state));
}

Hdf5File Hdf5File::open(const std::string& path) {
  const std::lock_guard lock(hdf5_lock());
  const Handle access = access_properties();
  auto state = std::make_unique<State>();
  state->path = path;
  state->file =
      Handle(state->check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), "open"), H5Fclose);
  return Hdf5File(std::move(state));
}

void Hdf5File::close() {
  const std::lock_guard lock(hdf5_lock());
  for (auto& [name, dataset] : state_->datasets) {
    state_->check(dataset.close(), "finish dataset '" + name + "'");
  }
  state_->check(H5Fflush(state_->file.get(), H5F_SCOPE_GLOBAL), "write out");
  state_->check(state_->file.close(), "close");
}

template <class T>
void Hdf5File::write(const std::string& name, std::span<const T> values,
                     const std::vector<std::int64_t>& shape) {
  const auto wanted =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  if (shape.empty() || wanted != static_cast<std::int64_t>(values.size())) {
    throw Error(state_->path + ": dataset '" + name + "': the shape has " + std::to_string(wanted) +
                    " values, " + std::to_string(values.size()) + " were given",
                Exit::failed);
  }
  const std::lock_guard lock(hdf5_lock());
  state_->write_whole(name, native_type<T>(), values.data(), extents(shape));
}

template <class T>
void Hdf5File::append(const std::string& name, std::span<const T> values, std::int64_t row_size) {
  if (row_size < 1 || values.size() % static_cast<std::size_t>(row_size) != 0) {
    throw Error(state_->path + ": dataset '" + name + "': " + std::to_string(values.size()) +
                    " values are not whole rows of " + std::to_string(row_size),
                Exit::failed);
  }
  const std::lock_guard lock(hdf5_lock());
  state_->append_rows(name, native_type<T>(), values.data(), values.size() / row_size, row_size);
}

namespace {

// HDF5 takes C strings: a NUL inside would cut the text short without a word.
std::vector<const char*> c_strings(std::span<const std::string> values, const std::string& where) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) {
    if (value.find('\0') != std::string::npos) {
      throw Error(where + ": a string holds NUL, which HDF5 strings cannot", Exit::failed);
    }
    pointers.push_back(value.c_str());
  }
  return pointers;
}

}  // namespace

void Hdf5File::write_strings(const std::string& name, std::span<const std::string> values) {
  const auto pointers = c_strings(values, state_->path + ": dataset '" + name + "'");
  const std::lock_guard lock(hdf5_lock());
  state_->write_whole(name, string_type().get(), pointers.data(), {values.size()});
}

void Hdf5File::append_strings(const std::string& name, std::span<const std::string> values) {
  const auto pointers = c_strings(values, state_->path + ": dataset '" + name + "'");
  const std::lock_guard lock(hdf5_lock());
  state_->append_rows(name, string_type().get(), pointers.data(), values.size(), 1);
}

bool Hdf5File::has(const std::string& name) const {
  const std::lock_guard lock(hdf5_lock());
  return H5Lexists(state_->file.get(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& name) const {
  const std::lock_guard lock(hdf5_lock());
  const auto dims = state_->dataset_extents(name);
  return {dims.begin(), dims.end()};
}

template <class T>
std::vector<T> Hdf5File::read(const std::string& name, std::int64_t begin,
                              std::int64_t count) const {
  const std::lock_guard lock(hdf5_lock());
  const std::vector<hsize_t> dims = state_->rows_within(name, begin, count);
  Handle type(H5Dget_type(state_->dataset(name)), H5Tclose);
  if (H5Tequal(type.get(), native_type<T>()) <= 0) {
    throw Error(state_->path + ": dataset '" + name + "' holds another type of number");
  }
  std::vector<T> values(
      std::accumulate(dims.begin(), dims.end(), std::size_t{1}, std::multiplies<>()));
  if (values.empty()) return values;
  std::vector<hsize_t> first(dims.size(), 0);
  first[0] = static_cast<hsize_t>(begin);
  state_->transfer(name, type.get(), first, dims, [&](hid_t memory, hid_t space) {
    return H5Dread(state_->dataset(name), type.get(), memory, space, H5P_DEFAULT, values.data());
  });
  return values;
}

template <class T>
std::vector<T> Hdf5File::read_all(const std::string& name) const {
  const auto dims = shape(name);
  return read<T>(name, 0, dims.empty() ? 0 : dims[0]);
}

std::vector<std::string> Hdf5File::read_strings(const std::string& name, std::int64_t begin,
                                                std::int64_t count) const {
  const std::lock_guard lock(hdf5_lock());
  const std::vector<hsize_t> dims = state_->rows_within(name, begin, count);
  Handle stored(H5Dget_type(state_->dataset(name)), H5Tclose);
  if (H5Tis_variable_str(stored.get()) <= 0 || dims.size() != 1) {
    throw Error(state_->path + ": dataset '" + name + "' holds no list of strings");
  }
  std::vector<std::string> values;
  if (count == 0) return values;
  const Handle type = string_type();
  std::vector<char*> pointers(static_cast<std::size_t>(count), nullptr);
  state_->transfer(name, type.get(), {static_cast<hsize_t>(begin)}, dims,
                   [&](hid_t memory, hid_t space) {
                     return H5Dread(state_->dataset(name), type.get(), memory, space, H5P_DEFAULT,
                                    pointers.data());
                   });
  for (const char* pointer : pointers) values.emplace_back(pointer == nullptr ? "" : pointer);
  const Handle memory(H5Screate_simple(1, dims.data(), nullptr), H5Sclose);
  H5Dvlen_reclaim(type.get(), memory.get(), H5P_DEFAULT, pointers.data());
  return values;
}

#define PLUMB_HDF5_TYPE(T)                                                                         \
  template void Hdf5File::write<T>(const std::string&, std::span<const T>,                         \
                                   const std::vector<std::int64_t>&);                              \
  template void Hdf5File::append<T>(const std::string&, std::span<const T>, std::int64_t);         \
  template std::vector<T> Hdf5File::read<T>(const std::string&, std::int64_t, std::int64_t) const; \
  template std::vector<T> Hdf5File::read_all<T>(const std::string&) const;
PLUMB_HDF5_TYPE(std::int32_t)
PLUMB_HDF5_TYPE(std::int64_t)
PLUMB_HDF5_TYPE(float)
PLUMB_HDF5_TYPE(double)
#undef PLUMB_HDF5_TYPE

namespace {

void write_attribute(hid_t file, const std::string& name, hid_t type, const void* value) {
  if (H5Aexists(file, name.c_str()) > 0) H5Adelete(file, name.c_str());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(
      H5Acreate2(file, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (attribute.get() < 0 || H5Awrite(attribute.get(), type, value) < 0) {
    throw Error("HDF5 cannot write attribute '" + name + "'", Exit::failed);
  }
}

Handle open_attribute(hid_t file, const std::string& name, const std::string& path) {
  Handle attribute(H5Aopen(file, name.c_str(), H5P_DEFAULT), H5Aclose);
  if (attribute.get() < 0) throw Error(path + ": it has no attribute '" + name + "'");
  return attribute;
}

}  // namespace

void Hdf5File::set_attribute(const std::string& name, const std::string& value) {
  const auto pointers = c_strings({&value, 1}, state_->path + ": attribute '" + name + "'");
  const std::lock_guard lock(hdf5_lock());
  write_attribute(state_->file.get(), name, string_type().get(), pointers.data());
}

void Hdf5File::set_attribute(const std::string& name, std::int64_t value) {
  const std::lock_guard lock(hdf5_lock());
  write_attribute(state_->file.get(), name, H5T_NATIVE_INT64, &value);
}

void Hdf5File::set_attribute(const std::string& name, double value) {
  const std::lock_guard lock(hdf5_lock());
  write_attribute(state_->file.get(), name, H5T_NATIVE_DOUBLE, &value);
}

std::string Hdf5File::string_attribute(const std::string& name) const {
  const std::lock_guard lock(hdf5_lock());
  const Handle attribute = open_attribute(state_->file.get(), name, state_->path);
  const Handle type = string_type();
  char* value = nullptr;
  state_->check(H5Aread(attribute.get(), type.get(), &value), "read attribute '" + name + "'");
  const std::string text = value == nullptr ? "" : value;
  H5free_memory(value);
  return text;
}

std::int64_t Hdf5File::integer_attribute(const std::string& name) const {
  const std::lock_guard lock(hdf5_lock());
  const Handle attribute = open_attribute(state_->file.get(), name, state_->path);
  std::int64_t value = 0;
  state_->check(H5Aread(attribute.get(), H5T_NATIVE_INT64, &value),
                "read attribute '" + name + "'");
  return value;
}

}  // namespace plumb
